"""Notices a fork, and keeps a child from destroying the engine that it inherited.

ONNX Runtime's threads do not live on in a forked child: a session that is destroyed there ends it with SIGSEGV, and
when the child exits, the library's own exit handlers wait for those threads for ever or abort (seen with 1.31 and two
threads, and one). So what is kept here is never destroyed in a child, and the child leaves out the C exit handlers
that it inherited. The hook and the list behind it are the one thing that this package sets up for the whole process.
"""

import ctypes
import os
import weakref
from typing import Any

from .errors import ForkedError

_kept: weakref.WeakSet[Any] = weakref.WeakSet()


def keep(*engines: object) -> None:
    """Has a forked child never destroy these; sessions, and what is bound to them."""
    for engine in engines:
        _kept.add(engine)


def refuse_child(parent: int, where: str, kind: str) -> None:
    """Refuses a process other than the one that opened the engine.

    Args:
        parent: the id of the process that opened it.
        where: the model file, for the message.
        kind: "Segmenter" or "Stream".

    Raises:
        ForkedError: this is another process.
    """
    if os.getpid() != parent:
        raise ForkedError(
            f"{where}: expected to run in process {parent}, which opened it, got a call in its forked child "
            f"{os.getpid()}; make a new {kind} in the child, or start the child by 'spawn'"
        )


def _never_destroy() -> None:
    engines = list(_kept)
    for engine in engines:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))  # a reference that nobody ever gives back
    if not engines:
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # glibc: the last registered is called first, with the exit status
        libc.on_exit(libc._exit, None)


if hasattr(os, "register_at_fork"):  # not on Windows, which knows no fork
    os.register_at_fork(after_in_child=_never_destroy)
