"""Reads ahead: what an iterator costs, such as decoding, a thread pays while the caller does something else."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_Taken = tuple[object, BaseException | None]  # an item, or what was raised in its place

_END = object()
_LOOK_S = 0.05


def ahead(items: Iterable[Item], count: int = 2, stopped: Callable[[], bool] = lambda: False) -> Iterator[Item]:
    """Yields `items` unchanged and in their order; a thread has taken up to `count` more from them by then.

    What the items raise is raised here, in its place. However the loop over them ends, the thread ends with it, unless
    it was `stopped` while the next item did not come: a camera that has gone silent can't be interrupted, only left.

    Args:
        items: taken from by the one thread only, one after another.
        count: at least 1; so many may wait in memory.
        stopped: looked at while the next item has not come; True ends the loop.
    """
    taken: queue.Queue[_Taken] = queue.Queue()
    room, over = threading.Semaphore(count), threading.Event()

    def take() -> None:
        iterator = iter(items)
        try:
            while room.acquire() and not over.is_set():
                item = next(iterator, _END)
                taken.put((item, None))
                if item is _END:
                    return
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            taken.put((_END, error))

    thread = threading.Thread(target=take, name="ahead", daemon=True)
    thread.start()
    left_alone = False
    try:
        while (found := _next(taken, stopped)) is not None:
            item, error = found
            if error is not None:
                raise error
            if item is _END:
                return
            room.release()
            yield item  # type: ignore[misc]  # no item is _END
        left_alone = True
    finally:
        over.set()
        room.release()
        if not left_alone:
            thread.join()


def _next(taken: "queue.Queue[_Taken]", stopped: Callable[[], bool]) -> "_Taken | None":
    """Waits for what was taken; None where it was stopped meanwhile."""
    while True:
        try:
            return taken.get(timeout=_LOOK_S)
        except queue.Empty:
            if stopped():
                return None
