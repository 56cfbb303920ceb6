import gc
import threading
import time
import weakref

import numpy as np
import pytest

from runtime.engine.cuda_thread import CudaThread


def test_call_runs_in_one_other_thread_whoever_asks() -> None:
    thread, seen = CudaThread("the one"), []
    callers = [threading.Thread(target=lambda: seen.append(thread.call(threading.get_ident))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert seen[0] != threading.get_ident()
    assert thread.call(lambda: threading.current_thread().name) == "the one"


def test_call_gives_back_the_answer_and_what_was_raised() -> None:
    thread = CudaThread("t")
    assert thread.call(divmod, 7, 3) == (2, 1)
    with pytest.raises(ValueError, match="planted 3"):
        thread.call(_fail, 3)
    assert thread.call(len, "still there") == 11


def test_call_keeps_nothing_of_the_last_one() -> None:
    thread, frame = CudaThread("t"), np.zeros(5, np.uint8)
    kept = weakref.ref(frame)
    assert thread.call(len, frame) == 5
    del frame
    until = time.monotonic() + 5  # the answer may be out before the thread has let go of the job
    while kept() is not None and time.monotonic() < until:
        time.sleep(0.001)
    assert kept() is None


def test_call_that_raised_keeps_nothing_once_the_error_is_dropped() -> None:
    class Passage:
        def run(self) -> None:
            raise RuntimeError("planted")

    thread, passage = CudaThread("t"), Passage()
    kept = weakref.ref(passage)
    gc.disable()  # what is freed only by it stays on the GPU meanwhile
    try:
        with pytest.raises(RuntimeError, match="planted") as caught:
            thread.call(passage.run)
        del passage, caught
        until = time.monotonic() + 5
        while kept() is not None and time.monotonic() < until:
            time.sleep(0.001)
        assert kept() is None
    finally:
        gc.enable()


def test_thread_ends_with_its_object() -> None:
    thread = CudaThread("ends")
    (running,) = [one for one in threading.enumerate() if one.name == "ends"]
    assert running.daemon
    del thread
    gc.collect()
    running.join(timeout=5)
    assert not running.is_alive()


def _fail(number: int) -> None:
    raise ValueError(f"planted {number}")
