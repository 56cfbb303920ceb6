"""A turn on a clock that only the engine moves."""

import numpy as np

from benchmarks.peers.child import timed_turn


def test_timed_turn_times_each_call_and_not_the_first_frame():
    clock = [0]
    durations = iter([900, 5, 7, 11])  # ns; the first one finds cold caches
    seen = []

    def label(frame):
        seen.append(int(frame[0, 0, 0]))
        clock[0] += next(durations)
        return frame[..., 0]

    frames = [np.full((2, 2, 3), index, np.uint8) for index in range(2)]
    assert timed_turn(label, frames, 3, lambda: clock[0]) == [5, 7, 11]
    assert seen == [1, 0, 1, 0]


def test_timed_turn_of_no_calls_gives_none():
    assert timed_turn(lambda frame: frame[..., 0], [np.zeros((2, 2, 3), np.uint8)], 0, lambda: 0) == []
