"""R12: many threads, one Segmenter; `close` may come at any time."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import ClosedError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

THREADS = 16
LONGEST_S = 250


def frames(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 24, 32, 3), dtype=np.uint8)


def run_together(work: Callable[[int], None]) -> None:
    """Runs it in 16 threads that begin at once; none may be left."""
    barrier = threading.Barrier(THREADS)

    def begin(index: int) -> None:
        barrier.wait(timeout=LONGEST_S)
        work(index)

    workers = [threading.Thread(target=begin, args=(index,), daemon=True) for index in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=LONGEST_S)
    assert not any(worker.is_alive() for worker in workers), "deadlock"


@pytest.mark.parametrize("count", [100, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("own_out", [True, False])
def test_sixteen_threads_get_their_own_answers(segmenter, count: int, *, own_out: bool) -> None:
    several = frames(THREADS)
    expected = [segmenter.segment(frame).labels for frame in several]
    assert len({labels.tobytes() for labels in expected}) == THREADS
    before = segmenter.health()
    wrong: Counter[int] = Counter()

    def work(index: int) -> None:
        out = np.zeros((24, 32), np.uint8) if own_out else None
        for _ in range(count):
            result = segmenter.segment(several[index], out)
            wrong[index] += not (result.valid and np.array_equal(result.labels, expected[index]))

    run_together(work)
    assert wrong.total() == 0
    assert segmenter.health().runs - before.runs == THREADS * count
    assert segmenter.health().failures == 0


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_close_racing_with_sixteen_threads_gives_only_closed_errors(tiny_model_path: Path, count: int) -> None:
    several = frames(THREADS)
    with Segmenter(tiny_model_path, "cpu", options=EngineOptions(threads=1)) as reference:
        expected = [reference.segment(frame).labels for frame in several]
    for _ in range(count):
        segmenter = Segmenter(tiny_model_path, "cpu", options=EngineOptions(threads=1), warmup_frames=0)
        ends: Counter[str] = Counter()

        def work(index: int, segmenter: Segmenter = segmenter, ends: Counter[str] = ends) -> None:
            closer = index % 4 == 0
            try:
                for _ in range(index if closer else 1_000_000):
                    if not np.array_equal(segmenter.segment(several[index]).labels, expected[index]):
                        ends["wrong"] += 1
                segmenter.close()
            except ClosedError:
                ends["closed"] += 1
            except Exception as error:  # noqa: BLE001  # which is what the test is about
                ends[repr(error)] += 1

        run_together(work)
        assert set(ends) == {"closed"}
        assert ends["closed"] >= THREADS - 4
