"""What a Segmenter does with frames of every kind: the right labels, or FrameError and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import FrameError

HEIGHT, WIDTH = 24, 32


@pytest.mark.parametrize(
    "view",
    [
        lambda f: np.asfortranarray(f),
        lambda f: np.repeat(np.repeat(f, 2, 0), 2, 1)[::2, ::2],
        lambda f: np.ascontiguousarray(f[::-1])[::-1],
        lambda f: np.ascontiguousarray(f[..., ::-1])[..., ::-1],  # a BGR camera buffer, seen as RGB
        lambda f: np.pad(f, ((3, 3), (5, 5), (0, 1)))[3:-3, 5:-5, :3],
        lambda f: np.frombuffer(f.tobytes(), np.uint8).reshape(f.shape),  # read-only
        lambda f: f.astype(">u1"),
    ],
)
def test_segment_of_any_strides_gives_the_same_labels(segmenter, frame, view) -> None:
    np.testing.assert_array_equal(segmenter.segment(view(frame)).labels, segmenter.segment(frame).labels)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (None, "got NoneType"),
        ([[[0, 0, 0]] * WIDTH] * HEIGHT, "got list"),
        (b"\x00" * 2304, "got bytes"),
        (np.ma.zeros((HEIGHT, WIDTH, 3), np.uint8), "got MaskedArray"),
        (np.zeros((HEIGHT, WIDTH, 3), np.float32), "got float32 values"),
        (np.zeros((HEIGHT, WIDTH, 3), np.int8), "got int8 values"),
        (np.zeros((HEIGHT, WIDTH, 3), bool), "got bool values"),
        (np.zeros((HEIGHT, WIDTH, 3), ">u2"), "got >u2 values|got uint16 values"),
        (np.zeros((HEIGHT, WIDTH, 3), object), "got object values"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), r"got shape \[24, 32\]"),
        (np.zeros((HEIGHT, WIDTH, 4), np.uint8), r"got shape \[24, 32, 4\]"),
        (np.zeros((3, HEIGHT, WIDTH), np.uint8), r"got shape \[3, 24, 32\]"),
        (np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), r"got shape \[1, 24, 32, 3\]"),
        (np.zeros((WIDTH, HEIGHT, 3), np.uint8), "got 24x32; resize"),
        (np.zeros((480, 640, 3), np.uint8), r"got 640x480; resize it first \(antialiased-bilinear\)"),
        (np.zeros((0, WIDTH, 3), np.uint8), "got 32x0"),
    ],
)
def test_segment_wrong_frame_is_refused_with_both_sizes(segmenter, frame: object, problem: str) -> None:
    with pytest.raises(FrameError, match=f"frame: expected a uint8 RGB array of 32x24, ({problem})"):
        segmenter.segment(frame)


SHAPES = st.one_of(
    st.just((HEIGHT, WIDTH, 3)),
    st.tuples(st.sampled_from([0, 1, HEIGHT, WIDTH]), st.sampled_from([1, HEIGHT, WIDTH]), st.sampled_from([1, 3, 4])),
    st.lists(st.sampled_from([1, 3, HEIGHT, WIDTH]), max_size=4).map(tuple),
)
KINDS = st.sampled_from(["u1", ">u1", "i1", "?", ">u2", "<u2", "<i4", ">f4", "<f2", "<f8", "c8", "O", "S1", "M8[s]"])


@settings(max_examples=400, deadline=None)
@given(shape=SHAPES, kind=KINDS, layout=st.sampled_from("CFVRL"), seed=st.integers(0, 2**32 - 1))
def test_segment_of_generated_frames_is_the_reference_or_a_frame_error(segmenter, shape, kind, layout, seed) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    array = pixels.astype(kind)
    frame: object = {
        "C": array,
        "F": np.asfortranarray(array),
        "V": np.stack([array, array], -1)[..., 0],
        "R": np.lib.stride_tricks.as_strided(array, writeable=False),
        "L": array.tolist(),
    }[layout]
    fits = shape == (HEIGHT, WIDTH, 3) and kind in ("u1", ">u1") and layout != "L"
    try:
        result = segmenter.segment(frame)
    except FrameError:
        assert not fits
    else:
        assert fits
        np.testing.assert_array_equal(result.labels, segmenter.segment(pixels).labels)
