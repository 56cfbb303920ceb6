"""One busy process: `load_child.py cpu` or `load_child.py gpu=SHARE`. Says "ready", then works until its stdin ends.

Run by its path, alone: it imports nothing of segtool.
"""

import os
import signal
import sys
import threading
import time

_PERIOD_S = 0.02  # of the GPU's turns: shorter than a camera's
_MEMORY_BYTES = 64 * 2**20  # beyond any cache's size, so that memory is kept busy, too
_SQUARE = 1024  # of the matrices: a product takes less than a period on anything that a vehicle carries


def main() -> None:
    """Works until stdin ends, which it does with the parent, whatever way that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = sys.argv[1]
    if work == "cpu":
        _keep_core_busy()
    else:
        _keep_gpu_busy(float(work.removeprefix("gpu=")))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _keep_core_busy() -> None:
    import numpy as np

    numbers = np.ones(_MEMORY_BYTES // 8)
    _say("ready")
    while True:
        np.multiply(numbers, 1.0000001, out=numbers)
        np.minimum(numbers, 2.0, out=numbers)


def _keep_gpu_busy(share: float) -> None:
    """By turns: products of matrices for a share of each period, then rest. Not run yet on a GPU."""
    try:
        import torch
    except ImportError:
        _say("no torch")
        return
    if not torch.cuda.is_available():
        _say(f"no cuda: torch {torch.__version__} sees none")
        return
    square = torch.ones(_SQUARE, _SQUARE, device="cuda", dtype=torch.float16)
    (square @ square).sum().item()  # the library is loaded, and its kernels
    _say("ready")
    while True:
        began_s = time.monotonic()
        while time.monotonic() - began_s < share * _PERIOD_S:
            square @ square
            torch.cuda.synchronize()
        time.sleep(max(0.0, began_s + _PERIOD_S - time.monotonic()))


if __name__ == "__main__":
    main()
