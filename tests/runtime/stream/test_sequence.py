"""Ids, times and bytes of one camera: sequences with one thing wrong, and real frames with nothing wrong."""

import statistics
import time
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from runtime.stream.result import Flag
from runtime.stream.sequence import FROZEN_FROM, LONGEST_DETOUR, SAMPLED_ROWS, SequenceCheck, sampled_rows

LENGTH = 12
MS = 1_000_000
NV12 = (1208 * 3 // 2, 1920)


def noise(seed: int, count: int = LENGTH, shape: tuple[int, ...] = (8, 8, 3)) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]


class Sequence30Hz:
    """A camera's frames as they should be: ids that rise with gaps, a frame each 33 ms, seen 5 ms after its capture."""

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.ids = (int(generator.integers(0, 2**40)) + generator.integers(1, 4, LENGTH).cumsum()).tolist()
        self.times = (int(generator.integers(0, 2**50)) + 33 * MS * np.arange(1, LENGTH + 1)).tolist()
        self.nows = [time_ns + 5 * MS for time_ns in self.times]
        self.frames = noise(seed)
        self.place = int(generator.integers(1, LENGTH - 3))

    def flags(self) -> dict[int, tuple[Flag, ...]]:
        """By place, those that have any."""
        check = SequenceCheck()
        found = map(check.flags, self.frames, self.ids, self.times, self.nows)
        return {place: flags for place, flags in enumerate(found) if flags}


def thousand() -> Iterator[Sequence30Hz]:
    return map(Sequence30Hz, range(1000))


def flags_of_ids(ids: Sequence[int], times_ms: Sequence[int] | None = None) -> list[int]:
    """Places that are REORDERED; times rise where none are given."""
    check, frame = SequenceCheck(), np.zeros((4, 4, 3), np.uint8)
    times = [33 * place for place in range(len(ids))] if times_ms is None else times_ms
    found = [check.flags(frame, each, at * MS, 10**15) for each, at in zip(ids, times, strict=True)]
    return [place for place, flags in enumerate(found) if Flag.REORDERED in flags]


def test_flags_of_a_camera_as_it_should_be_are_none() -> None:
    assert all(sequence.flags() == {} for sequence in thousand())


def test_flags_repeated_id_is_caught() -> None:
    for sequence in thousand():
        sequence.ids[sequence.place] = sequence.ids[sequence.place - 1]
        assert sequence.flags() == {sequence.place: (Flag.REPEATED_ID,)}


def test_flags_id_that_falls_is_caught() -> None:
    for sequence in thousand():
        here = sequence.place
        sequence.ids[here - 1], sequence.ids[here] = sequence.ids[here], sequence.ids[here - 1]
        assert sequence.flags() == {here: (Flag.REORDERED,)}


def test_flags_frame_that_comes_late_is_caught() -> None:
    for sequence in thousand():
        here = sequence.place
        for of in (sequence.ids, sequence.times, sequence.frames):
            of[here - 1], of[here] = of[here], of[here - 1]
        sequence.nows[here - 1] = sequence.nows[here]
        assert sequence.flags() == {here: (Flag.REORDERED, Flag.BACK_DATED)}


def test_flags_repeated_time_is_caught() -> None:
    for sequence in thousand():
        sequence.times[sequence.place] = sequence.times[sequence.place - 1]
        assert sequence.flags() == {sequence.place: (Flag.REPEATED_TIME,)}


def test_flags_back_dated_frame_is_caught() -> None:
    for sequence in thousand():
        sequence.times[sequence.place] = sequence.times[sequence.place - 1] - 1
        assert sequence.flags() == {sequence.place: (Flag.BACK_DATED,)}


def test_flags_frame_from_the_future_is_caught_and_none_after_it_is_back_dated() -> None:
    for seed, sequence in enumerate(thousand()):
        sequence.times[sequence.place] = sequence.nows[sequence.place] + (1, 50 * MS, 10**15)[seed % 3]
        assert sequence.flags() == {sequence.place: (Flag.FROM_THE_FUTURE,)}


def test_flags_frozen_picture_is_caught_by_the_third_frame_until_it_moves() -> None:
    for seed, sequence in enumerate(thousand()):
        first = sequence.place - 1
        last = min(LENGTH - 1, first + 2 + seed % 4)
        for place in range(first + 1, last + 1):
            sequence.frames[place] = sequence.frames[first].copy()
        assert sequence.flags() == dict.fromkeys(range(first + FROZEN_FROM - 1, last + 1), (Flag.FROZEN,))


def test_flags_the_same_frame_submitted_three_times_has_all_that_is_so() -> None:
    check, frame = SequenceCheck(), noise(0)[0]
    assert check.flags(frame, 7, 40, 50) == ()
    assert check.flags(frame, 7, 40, 51) == (Flag.REPEATED_ID, Flag.REPEATED_TIME)
    assert check.flags(frame, 7, 40, 52) == (Flag.REPEATED_ID, Flag.REPEATED_TIME, Flag.FROZEN)


def test_flags_block_of_late_frames_is_reordered_each() -> None:
    assert flags_of_ids([1, 5, 2, 3, 4, 6]) == [2, 3, 4]


def test_flags_id_of_the_last_frame_or_of_the_highest_is_repeated() -> None:
    check = SequenceCheck()
    ids = (10, 12, 11, 11, 12, 13)
    found = [check.flags(frame, each, 10, 10) for frame, each in zip(noise(1), ids, strict=False)]
    assert [Flag.REPEATED_ID in flags for flags in found] == [False, False, False, True, True, False]


@pytest.mark.parametrize("top", [LONGEST_DETOUR + 1, 5000, 2**32 - 1])
def test_flags_restarted_camera_is_flagged_once_and_then_followed(top: int) -> None:
    assert flags_of_ids([top - 2, top - 1, top, 0, 1, 2, 3, 2, 4]) == [3, 7]


def test_flags_camera_that_restarts_at_once_is_flagged_until_it_has_caught_up() -> None:
    assert flags_of_ids([*range(41), *range(50)]) == list(range(41, 41 + 40))


def test_flags_frame_from_long_ago_begins_no_new_count() -> None:
    times = [0, 33, 66, 10, 99]
    assert flags_of_ids([1000, 1001, 1002, 5, 6], times) == [3, 4]
    assert flags_of_ids([1000, 1001, 1002, 5, 1003], times) == [3]


def test_flags_one_id_far_too_high_is_forgotten() -> None:
    assert flags_of_ids([10, 11, 2**60, 12, 13, 12, 14]) == [3, 5]


def test_flags_back_dated_run_is_caught_in_each_frame_until_time_goes_on() -> None:
    check, found = SequenceCheck(), []
    for place, at in enumerate((100, 200, 150, 160, 160, 200, 201)):
        found.append(check.flags(noise(place, 1)[0], place, at, 1000))
    late = (Flag.BACK_DATED,)
    assert found == [(), (), late, late, (Flag.REPEATED_TIME, *late), (Flag.REPEATED_TIME,), ()]


@pytest.mark.parametrize("shape", [(128, 96, 3), (256, 256, 3), NV12, (200, 320, 2)])
def test_flags_frozen_picture_with_a_counter_in_its_outermost_rows_is_caught(shape: tuple[int, ...]) -> None:
    check, frame, found = SequenceCheck(), noise(2, 1, shape)[0], []
    for place in range(3):
        frame[0], frame[-1] = place, place
        found.append(check.flags(frame, place, place, place))  # the very array, changed in place
    assert found == [(), (), (Flag.FROZEN,)]


def test_flags_frozen_picture_under_an_overlay_is_missed_as_documented() -> None:
    check, frame = SequenceCheck(), noise(3, 1, (256, 256, 3))[0]
    for place in range(9):
        frame[100:116, 20:40] = place
        assert check.flags(frame, place, place, place) == ()


def test_flags_frozen_strided_view_is_caught() -> None:
    check, whole = SequenceCheck(), noise(4, 1, (64, 80, 3))[0]
    found = [check.flags(whole[::2, ::-1, ::-1], place, place, place) for place in range(3)]
    assert found == [(), (), (Flag.FROZEN,)]


@pytest.mark.parametrize("frame", [None, "frame", [[1, 2], [3, 4]], np.uint8(7), np.array(7)])
def test_flags_what_is_no_frame_is_never_frozen(frame: object) -> None:
    check = SequenceCheck()
    assert [check.flags(frame, place, place, place) for place in range(4)] == [()] * 4  # type: ignore[arg-type]


def test_flags_something_else_between_equal_frames_ends_their_row() -> None:
    check, still = SequenceCheck(), noise(5)[0]
    for place, frame in enumerate([still, still, None, still, still]):
        assert check.flags(frame, place, place, place) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(("rows", "sampled"), [(1, 1), (127, 127), (128, 63), (256, 63), (1208, 67), (1812, 64)])
def test_sampled_rows_are_spread_over_the_frame(rows: int, sampled: int) -> None:
    frame = np.repeat(np.arange(rows, dtype=np.uint16).view(np.uint8).reshape(rows, 2), 1, axis=0)
    taken = np.frombuffer(sampled_rows(frame), np.uint16)
    assert len(taken) == sampled < 2 * SAMPLED_ROWS
    assert len(set(np.diff(taken))) <= 1
    assert taken[0] <= rows / SAMPLED_ROWS
    assert rows - taken[-1] <= 1 + 1.5 * rows / SAMPLED_ROWS


def test_flags_costs_a_small_part_of_one_copy_of_the_frame() -> None:
    frames, check, place = noise(6, 4, NV12), SequenceCheck(), 0
    took: dict[str, list[float]] = {"flags": [], "copy": []}
    for place in range(40):
        frame = frames[place % 4]
        started = time.thread_time()
        check.flags(frame, place, place, place)
        between = time.thread_time()
        frame.copy()
        took["flags"].append(between - started)
        took["copy"].append(time.thread_time() - between)
    assert statistics.median(took["flags"]) < 0.3 * statistics.median(took["copy"])


def test_flags_allocates_no_frame() -> None:
    frames, check = noise(7, 2, NV12), SequenceCheck()
    check.flags(frames[0], 0, 0, 0)
    tracemalloc.start()
    for place in range(1, 20):
        check.flags(frames[place % 2], place, place, place)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * frames[0].nbytes


def crops(frame: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """Sixteen crops, spread over the frame."""
    for top in np.linspace(0, frame.shape[0] - side, 4).astype(int):
        for left in np.linspace(0, frame.shape[1] - side, 4).astype(int):
            yield frame[top : top + side, left : left + side]


def false_flags(frames: Sequence[np.ndarray]) -> int:
    """Frames with a flag though their ids and times are in order and not all their bytes those of the two before."""
    check, count = SequenceCheck(), 0
    for place, frame in enumerate(frames):
        same = place >= 2 and all(np.array_equal(frame, other) for other in frames[place - 2 : place])
        count += check.flags(frame, place, 33 * MS * place, 33 * MS * place + MS) != ((Flag.FROZEN,) if same else ())
    return count


def require_no_false_flag(frames: list[np.ndarray]) -> None:
    shuffled = [frames[place] for place in np.random.default_rng(0).permutation(len(frames))]
    for order in (frames, shuffled):
        assert false_flags(order) == 0
        for side in (128, 64):
            for cut in zip(*(crops(frame, side) for frame in order), strict=True):
                assert false_flags(cut) == 0


@pytest.mark.parametrize(("name", "step"), [("cityscapes_pairs", 40), ("camvid", 8)])
def test_flags_of_some_real_frames_and_their_crops_are_none(real_frames, name: str, step: int) -> None:
    require_no_false_flag(real_frames(name, step))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("cityscapes_pairs", 3225), ("camvid", 468)])
def test_flags_of_all_real_frames_and_their_crops_are_none(real_frames, name: str, count: int) -> None:
    frames = real_frames(name, 1)
    assert len(frames) == count
    require_no_false_flag(frames)


@pytest.mark.parametrize(("name", "step"), [("cityscapes_pairs", 40), ("camvid", 8)])
def test_flags_of_real_frames_that_freeze_come_with_the_third(real_frames, name: str, step: int) -> None:
    for frame, other in zip(frames := real_frames(name, step), frames[1:], strict=False):
        check = SequenceCheck()
        found = [check.flags(each, place, place, place) for place, each in enumerate([other, frame, frame, frame])]
        assert found == [(), (), (), (Flag.FROZEN,)]
