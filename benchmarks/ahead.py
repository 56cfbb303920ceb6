"""Reads ahead: what an iterator costs, such as decoding, a thread pays while the caller does something else."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def ahead(items: Iterable[Item], count: int = 2) -> Iterator[Item]:
    """Yields `items` unchanged and in their order; a thread has taken up to `count` more from them by then.

    What the items raise is raised here, in its place. However the loop over them ends, the thread ends with it.

    Args:
        items: taken from by the one thread only, one after another.
        count: at least 1; so many may wait in memory.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = deque(thread.submit(next, iterator, _END) for _ in range(count))
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(thread.submit(next, iterator, _END))
                yield item  # type: ignore[misc]  # no item is _END
        finally:
            for waiting in coming:
                waiting.cancel()
