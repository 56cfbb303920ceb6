"""Opens files under strace; what it does between the two marks is what counts.

    python traced_child.py segtool|onnxruntime FILE...
    python traced_child.py frames|planted FILE COUNT

"segtool" and "onnxruntime" open each file, and go on where it is refused; "frames" labels COUNT frames with one open
Segmenter, "planted" opens a file on the way.
"""

import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from runtime.errors import ModelFileError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

BEGIN, END = "/mark/of/begin", "/mark/of/end"


def mark(name: str) -> None:
    """A call of the system that stands in strace's record and does nothing."""
    os.access(name, os.F_OK)


def open_with_segtool(paths: list[str]) -> None:
    for path in paths:
        try:
            Segmenter(path, provider="cpu", options=EngineOptions(threads=1)).close()
        except ModelFileError as error:
            print(type(error).__name__, path)  # noqa: T201  # what the test reads
        else:
            print("loaded", path)  # noqa: T201


def open_with_onnxruntime(paths: list[str]) -> None:
    for path in paths:
        try:
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  # whatever it says
            print(type(error).__name__, path)  # noqa: T201
        else:
            print("loaded", path)  # noqa: T201


def label_frames(path: str, count: int, *, planted: bool) -> None:
    with Segmenter(path, provider="cpu", options=EngineOptions(threads=2)) as segmenter:
        frame = np.zeros(segmenter.spec.frame_shape, np.uint8)
        out = np.zeros(segmenter.spec.labels_shape, np.uint8)
        segmenter.segment(frame, out)
        mark(BEGIN)
        for number in range(count):
            frame[0, 0, 0] = number % 256
            segmenter.segment(frame, out)
            segmenter.segment(frame[::-1])
            segmenter.health()
            if planted and number == count // 2:
                Path(path).read_bytes()
        mark(END)


def main() -> None:
    what, first, *rest = sys.argv[1:]
    if what in ("segtool", "onnxruntime"):
        mark(BEGIN)
        {"segtool": open_with_segtool, "onnxruntime": open_with_onnxruntime}[what]([first, *rest])
        mark(END)
    else:
        label_frames(first, int(rest[0]), planted=what == "planted")


if __name__ == "__main__":
    main()
