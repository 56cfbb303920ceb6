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


def test_segment_counts_the_frames_that_it_had_to_gather(segmenter, frame) -> None:
    before = segmenter.health().copied
    segmenter.segment(frame)
    assert segmenter.health().copied == before
    segmenter.segment(frame[:, ::-1])
    segmenter.segment(np.asfortranarray(frame))
    assert segmenter.health().copied == before + 2


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
        (np.zeros((HEIGHT, WIDTH), np.uint8), r"got \[24, 32\]; give \[height, width, 3\]"),
        (np.zeros((HEIGHT, WIDTH, 4), np.uint8), r"got \[24, 32, 4\]; give \[height, width, 3\]"),
        (np.zeros((3, HEIGHT, WIDTH), np.uint8), r"got \[3, 24, 32\]; give \[height, width, 3\]"),
        (np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), r"got \[1, 24, 32, 3\]; give \[height, width, 3\]"),
        (np.zeros((WIDTH, HEIGHT, 3), np.uint8), r"got \[32, 24, 3\]; resize"),
        (np.zeros((480, 640, 3), np.uint8), r"got \[480, 640, 3\]; resize it first \(antialiased-bilinear\)"),
        (np.zeros((0, WIDTH, 3), np.uint8), r"got \[0, 32, 3\]"),
    ],
)
def test_segment_wrong_frame_is_refused_with_both_shapes(segmenter, frame: object, problem: str) -> None:
    with pytest.raises(FrameError, match=rf"frame: expected a uint8 RGB array \[24, 32, 3\], ({problem})"):
        segmenter.segment(frame)


LAYOUTS = {"rgb": (24, 32, 3), "bgr": (24, 32, 3), "uyvy": (24, 32, 2), "nv12": (36, 32)}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_segment_of_a_camera_file_gives_labels_and_confidence(open_door, layout: str, batch: int) -> None:
    segmenter = open_door(layout=layout, batch=batch, confidence=True)
    for seed in (0, 1):
        frames = np.random.default_rng(seed).integers(0, 256, (batch, *LAYOUTS[layout]), dtype=np.uint8)
        luma = {"uyvy": frames[..., -1], "nv12": frames[:, :24]}.get(layout, frames[..., 0])
        result = segmenter.segment(frames if batch > 1 else frames[0])
        np.testing.assert_array_equal(result.confidence, luma if batch > 1 else luma[0])
        np.testing.assert_array_equal(result.labels, result.confidence // 64)


def test_segment_of_a_cropping_file_gives_the_crops_size(open_door) -> None:
    segmenter = open_door(layout="nv12", crop=(4, 6, 20, 10))
    frame = np.random.default_rng(0).integers(0, 256, (36, 32), dtype=np.uint8)
    result = segmenter.segment(frame)
    np.testing.assert_array_equal(result.labels, frame[6:16, 4:24] // 64)
    assert result.confidence is None


def test_segment_into_out_and_out_confidence_fills_those_very_arrays(open_door) -> None:
    segmenter = open_door(batch=2, confidence=True)
    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    out, out_confidence = np.zeros((2, 24, 32), np.uint8), np.zeros((2, 24, 32), np.uint8)
    result = segmenter.segment(frames, out, out_confidence)
    assert result.labels is out
    assert result.confidence is out_confidence
    np.testing.assert_array_equal(out_confidence, frames[..., 0])


def test_segment_of_one_invalid_pixel_in_a_batch_is_not_valid(open_door) -> None:
    segmenter = open_door(batch=2, scale=1)  # labels are the first channel
    frames = np.zeros((2, 24, 32, 3), np.uint8)
    assert segmenter.segment(frames).valid
    frames[1, 5, 7, 0] = 255
    assert not segmenter.segment(frames).valid


@pytest.mark.parametrize(
    ("door", "shape", "problem"),
    [
        ({"layout": "nv12"}, (24, 32, 3), r"NV12 array \[36, 32\], got \[24, 32, 3\]; give \[height \* 3 / 2, width\]"),
        ({"layout": "nv12"}, (24, 32), r"NV12 array \[36, 32\], got \[24, 32\]; give .*, the rows of Y over"),
        ({"layout": "uyvy"}, (24, 64), r"UYVY array \[24, 32, 2\], got \[24, 64\]; give \[height, width, 2\], U Y V Y"),
        (
            {"layout": "uyvy"},
            (12, 16, 2),
            r"UYVY array \[24, 32, 2\], got \[12, 16, 2\]; give the camera's whole frame",
        ),
        (
            {"layout": "bgr"},
            (480, 640, 3),
            r"BGR array \[24, 32, 3\], got .*; give .* whole frame, the graph",
        ),
        (
            {"batch": 2},
            (24, 32, 3),
            r"RGB array \[2, 24, 32, 3\], got \[24, 32, 3\]; give 2 frames \[height, width, 3\]",
        ),
        ({"batch": 2}, (3, 24, 32, 3), r"RGB array \[2, 24, 32, 3\], got \[3, 24, 32, 3\]; give 2 frames"),
    ],
)
def test_segment_of_a_frame_in_another_layout_names_layout_and_shape(open_door, door, shape, problem: str) -> None:
    with pytest.raises(FrameError, match=f"frame: expected a uint8 {problem}"):
        open_door(**door).segment(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("out", "problem"),
    [
        (np.zeros((24, 32), np.uint8), r"expected a uint8 array \[2, 24, 32\], got uint8 \[24, 32\]"),
        (
            np.zeros((2, 24, 64), np.uint8)[..., ::2],
            r"expected a writeable C-contiguous array, got .* a strided",
        ),
    ],
)
def test_segment_wrong_out_confidence_is_refused_by_name(open_door, out: np.ndarray, problem: str) -> None:
    segmenter = open_door(batch=2, confidence=True)
    with pytest.raises(FrameError, match=f"out_confidence: {problem}"):
        segmenter.segment(np.zeros((2, 24, 32, 3), np.uint8), out_confidence=out)


@pytest.mark.parametrize("rows", [0, 1])
def test_segment_out_and_out_confidence_of_one_memory_are_refused_and_keep_their_content(open_door, rows: int) -> None:
    segmenter = open_door(confidence=True)
    memory = np.full((25, 32), 7, np.uint8)
    with pytest.raises(FrameError, match=r"out_confidence: expected memory of its own \[24, 32\], got that of out"):
        segmenter.segment(np.zeros((24, 32, 3), np.uint8), memory[:24], memory[rows : rows + 24])
    assert (memory == 7).all()


def test_segment_out_and_out_confidence_side_by_side_are_taken(open_door) -> None:
    memory = np.zeros((2, 24, 32), np.uint8)
    frame = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    open_door(confidence=True).segment(frame, memory[0], memory[1])
    np.testing.assert_array_equal(memory[1], frame[..., 0])
    np.testing.assert_array_equal(memory[0], frame[..., 0] // 64)


def test_segment_out_confidence_for_a_file_without_it_is_refused(segmenter, frame) -> None:
    with pytest.raises(FrameError, match=r"out_confidence: expected None, as .*model\.onnx has no .*, got ndarray"):
        segmenter.segment(frame, out_confidence=np.zeros((HEIGHT, WIDTH), np.uint8))


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
