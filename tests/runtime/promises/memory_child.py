"""Labels frames and prints resident kilobytes every 1,000 frames, one JSON list at the end.

    python memory_child.py MODEL THOUSANDS [LEAK_BYTES]

LEAK_BYTES are kept and written for every 1,000 frames, to show that the test would see them.
"""

import json
import sys
from pathlib import Path

import numpy as np

from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

PAGE_KB = 4
WARM_UP = 5


def resident_kb() -> int:
    """Resident memory of this process, in kB, counted page by page (statm's own count lags behind)."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(text.partition("Rss:")[2].split()[0])


def main() -> None:
    path, thousands = sys.argv[1], int(sys.argv[2])
    leak = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    kept: list[bytes] = []
    with Segmenter(path, provider="cpu", options=EngineOptions(threads=1)) as segmenter:
        frame = np.zeros(segmenter.spec.frame_shape, np.uint8)
        strided = np.zeros((2 * frame.shape[0], *frame.shape[1:]), np.uint8)[::2]
        out = np.zeros(segmenter.spec.labels_shape, np.uint8)
        seen = []
        for thousand in range(WARM_UP + thousands):
            for number in range(1000):
                if number % 4 == 0:
                    segmenter.segment(strided)
                else:
                    segmenter.segment(frame, out)
                if number % 100 == 0:
                    segmenter.health()
            if leak and thousand >= WARM_UP:
                kept.append(b"x" * leak)
            seen.append(resident_kb())
    print(json.dumps(seen[WARM_UP:]))  # noqa: T201  # what the test reads


if __name__ == "__main__":
    main()
