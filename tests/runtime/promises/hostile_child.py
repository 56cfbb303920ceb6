"""Opens each file of a folder as a vehicle would, with 4 GiB to do it in; prints what came of each, one JSON a line.

    python hostile_child.py FOLDER

CPU seconds are counted. A name is printed before its file is opened, so that the one that ends this process is known.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from runtime.errors import DeviceError, ModelFileError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

LIMIT_BYTES = 4 << 30


def outcome(path: Path) -> str:
    """ "loaded", or the name of the error: at load, or "run: " in the first frame."""
    try:
        segmenter = Segmenter(path, provider="cpu", options=EngineOptions(threads=1), warmup_frames=1)
    except ModelFileError as error:
        return type(error).__name__
    with segmenter:
        try:
            segmenter.segment(np.full(segmenter.spec.frame_shape, 255, np.uint8))
        except DeviceError as error:
            return f"run: {type(error).__name__}"
    return "loaded"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    for path in sorted(Path(sys.argv[1]).iterdir()):
        print(json.dumps(path.name), end=" ", flush=True)  # noqa: T201  # what the test reads
        started = time.process_time()  # of one thread; the machine may be busy with others
        came = outcome(path)
        print(json.dumps([came, time.process_time() - started]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
