"""R5: a wrong frame never reaches the graph."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import FrameError

SHAPE = (24, 32, 3)
COUNTS = [2_000, pytest.param(10_000, marks=pytest.mark.slow)]
FRAMES_SEED = 0  # of frames without a near tie, which the reference refuses
Random = np.random.Generator


class Tagged(np.ndarray):
    """As camera libraries make them: an array with something attached."""


class Unwilling(np.ndarray):
    """As libraries of units make them: numpy's functions do not take it."""

    def __array_function__(self, *_: object) -> object:
        raise TypeError("not with these units")


class Lying(np.ndarray):
    """Says of itself what is not so."""

    @property
    def shape(self) -> tuple[int, ...]:
        return SHAPE


class ArrayLike:
    """Would be converted by np.asarray."""

    def __init__(self, frame: np.ndarray) -> None:
        self.frame = frame

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        return self.frame


def in_a_larger_one(frame: np.ndarray, random: Random) -> np.ndarray:
    before, after = random.integers(0, 5, 3), random.integers(1, 5, 3)
    larger = random.integers(0, 256, frame.shape + before + after, dtype=np.uint8)
    view = larger[tuple(slice(start, start + length) for start, length in zip(before, frame.shape, strict=True))]
    view[:] = frame
    return view


def stepped(frame: np.ndarray, random: Random) -> np.ndarray:
    steps = random.choice([-3, -2, -1, 1, 2, 3], 3)
    larger = np.zeros(frame.shape * np.abs(steps), np.uint8)
    view = larger[tuple(slice(None, None, step) for step in steps)]
    view[:] = frame
    return view


def permuted(frame: np.ndarray, random: Random) -> np.ndarray:
    order = random.permutation(3)
    return np.ascontiguousarray(frame.transpose(order)).transpose(np.argsort(order))


def read_only(frame: np.ndarray, _: Random) -> np.ndarray:
    return np.frombuffer(frame.tobytes(), np.uint8).reshape(frame.shape)


def other_type(frame: np.ndarray, random: Random) -> np.ndarray:
    kind = random.choice(
        ["?", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16", "O", "S3", "U3"]
    )
    return frame.astype(f"{random.choice(['<', '>'])}{kind}")


def other_view(frame: np.ndarray, random: Random) -> np.ndarray:
    kinds = ["i1", "?", "S1", "V1", [("y", "u1")], [("r", "u1"), ("g", "u1"), ("b", "u1")], "S3", "V3"]
    return frame.view(kinds[random.integers(len(kinds))])


def other_shape(frame: np.ndarray, random: Random) -> np.ndarray:
    shape = random.integers(0, 40, random.integers(0, 6))
    return np.zeros(shape, np.uint8)


def other_order(frame: np.ndarray, random: Random) -> np.ndarray:
    orders = [(2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)]
    return frame.transpose(orders[random.integers(len(orders))])


def other_rank(frame: np.ndarray, random: Random) -> np.ndarray:
    pad, gone = frame[..., :1], frame[:-1]
    choices = [frame[np.newaxis], frame[..., 0], frame.ravel(), frame[..., np.newaxis], frame[0, 0, 0]]
    choices += [np.concatenate([frame, pad], 2), gone, frame[:, 1:], frame[:0], np.stack([frame, frame])]
    return choices[random.integers(len(choices))]


def no_array(frame: np.ndarray, random: Random) -> object:
    choices = [
        None,
        frame.tolist(),
        tuple(frame),
        frame.tobytes(),
        bytearray(frame),
        memoryview(frame),
        0,
        1.5,
        "frame",
    ]
    choices += [
        {"frame": frame},
        ArrayLike(frame),
        iter(frame),
        frame.data,
        np.uint8(7),
        np.dtype("u1"),
        Random,
        range(9),
    ]
    return choices[random.integers(len(choices))]


RIGHT: list[Callable[[np.ndarray, Random], object]] = [
    lambda frame, _: frame,
    in_a_larger_one,
    stepped,
    permuted,
    read_only,
    lambda frame, _: np.asfortranarray(frame),
    lambda frame, _: frame.astype(">u1"),
    lambda frame, _: frame.view(Tagged),
    lambda frame, _: frame.view(np.recarray),
    lambda frame, random: stepped(frame, random).view(Tagged),
]
WRONG: list[Callable[[np.ndarray, Random], object]] = [
    other_type,
    other_view,
    other_order,
    other_rank,
    no_array,
    lambda frame, _: np.ma.masked_array(frame, mask=frame == frame[0, 0, 0]),
    lambda frame, _: frame.view(Unwilling),
    lambda frame, _: frame[:1, :1, :1].view(Lying),
]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.timeout(900)
def test_frame_of_any_kind_gives_the_right_labels_or_frame_error(
    segmenter, reference_labels, tmp_path: Path, count: int
) -> None:
    random = np.random.default_rng(count)
    frames = np.random.default_rng(FRAMES_SEED).integers(0, 256, (8, *SHAPE), dtype=np.uint8)
    expected = [reference_labels(frame) for frame in frames]
    mapped = np.memmap(tmp_path / "frames.bin", np.uint8, "w+", shape=frames.shape)
    mapped[:] = frames
    for number in range(count):
        index = random.integers(len(frames))
        frame = (mapped if number % 5 == 0 else frames)[index]
        right = number % 2 == 0
        make = (RIGHT if right else WRONG)[random.integers(len(RIGHT if right else WRONG))]
        given = make(frame, random)
        try:
            labels = segmenter.segment(given).labels
        except FrameError:
            assert not right, (type(given), number)
            continue
        assert right, (type(given), getattr(given, "dtype", None), getattr(given, "shape", None), number)
        np.testing.assert_array_equal(labels, expected[index])


@pytest.mark.parametrize("count", COUNTS)
def test_frame_of_any_other_shape_is_refused(segmenter, count: int) -> None:
    random = np.random.default_rng(count)
    for _ in range(count):
        given = other_shape(np.zeros(SHAPE, np.uint8), random)
        if given.shape != SHAPE:
            with pytest.raises(FrameError, match=rf"got \[{', '.join(map(str, given.shape))}\]"):
                segmenter.segment(given)


@pytest.mark.parametrize(
    "make",
    [
        lambda out: out.view(Unwilling),
        lambda out: np.ma.masked_array(out, mask=True),
        lambda out: out[::-1],
        lambda out: np.frombuffer(out.tobytes(), np.uint8).reshape(out.shape),
        lambda out: out.view("i1"),
        lambda out: out.tolist(),
        lambda out: memoryview(out),
    ],
)
def test_out_of_a_kind_that_is_no_plain_array_is_refused_and_stays_as_it_is(segmenter, frame, make) -> None:
    out = np.full(SHAPE[:2], 77, np.uint8)
    with pytest.raises(FrameError, match=r"out: expected a .*, got"):
        segmenter.segment(frame, make(out))
    assert (out == 77).all()
