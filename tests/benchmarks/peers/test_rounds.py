"""Order and times on a clock that only the contestants move."""

import numpy as np

from benchmarks.peers.rounds import interleave


class Timed:
    """Takes a known time for each call and writes down when it was asked."""

    def __init__(self, name, call_ns, seen):
        self.name, self.call_ns, self.seen = name, call_ns, seen

    def turn(self, calls):
        self.seen.append(self.name)
        return [self.call_ns + index for index in range(calls)]


def measured(seed, rounds=200):
    seen = []
    contestants = {name: Timed(name, call_ns, seen) for name, call_ns in (("a", 1_000_000), ("b", 3_000_000))}
    rests = []
    times_ms = interleave(contestants, calls=2, seed=seed, rounds=range(rounds), rest=lambda: rests.append(len(seen)))
    return seen, rests, times_ms


def test_interleave_gives_each_contestant_one_turn_a_round_after_a_rest():
    seen, rests, times_ms = measured(seed=0)
    assert all(set(seen[start : start + 2]) == {"a", "b"} for start in range(0, len(seen), 2))
    assert rests == list(range(len(seen)))
    np.testing.assert_allclose(times_ms["a"], np.tile([1.0, 1.000001], (200, 1)))
    np.testing.assert_allclose(times_ms["b"], np.tile([3.0, 3.000001], (200, 1)))


def test_interleave_draws_the_order_of_each_round_from_the_seed():
    first, again, other = (measured(seed)[0] for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert 60 < first[::2].count("a") < 140  # of 200: neither always goes first
