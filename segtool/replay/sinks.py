"""Where the results of a replay go: label PNGs and overlays as `segtool predict` writes them, or a video."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from runtime.errors import UsageError
from runtime.overlay import blend
from segtool.prediction import Outputs, plan_outputs, write_results
from segtool.replay.recording import Recording
from segtool.replay.video_file import VideoFile

Palette = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """A frame and its answer.

    Attributes:
        index: of the frame, from the start of the replay.
        name: its shot's.
        image_hwc: uint8 [H, W, 3], RGB.
        labels_hw: uint8 [H, W]; in a sink, of the image's size.
    """

    index: int
    name: str
    image_hwc: npt.NDArray[np.uint8]
    labels_hw: npt.NDArray[np.uint8]


class Sink(Protocol):
    """Where labelled frames go. Used in the writer's thread alone."""

    def add(self, labelled: Labelled) -> None:
        """Takes one."""

    def close(self) -> None:
        """Ends it."""


class LabelFiles:
    """A label PNG for each frame, and an overlay where asked for, as `segtool predict` writes them."""

    def __init__(self, palette: Palette, outputs: Callable[[str], Outputs]) -> None:
        """Writes nothing yet.

        Args:
            palette: a colour for each class.
            outputs: the files of a frame, by its shot's name.
        """
        self._palette, self._outputs = palette, outputs

    def add(self, labelled: Labelled) -> None:
        """Writes the files of one frame; StorageError where they can't be."""
        write_results(self._outputs(labelled.name), labelled.image_hwc, labelled.labels_hw, self._palette)

    def close(self) -> None:
        """Each file is whole already."""


class OverlayVideo:
    """A video of the overlays."""

    def __init__(self, palette: Palette, path: Path, rate_hz: float) -> None:
        """Begins the file; its errors are those of VideoFile."""
        self._palette, self._file = palette, VideoFile(path, rate_hz)

    def add(self, labelled: Labelled) -> None:
        """Appends one frame; StorageError where it can't be written."""
        self._file.add(labelled.index, blend(labelled.image_hwc, labelled.labels_hw, self._palette))

    def close(self) -> None:
        """Gives the file its name."""
        self._file.close()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be written; None where it is not.

    Attributes:
        out: folder of the label PNGs.
        overlay: overlays beside them.
        video: file of the overlays.
    """

    out: Path | None = None
    overlay: bool = False
    video: Path | None = None


def open_sinks(wanted: Wanted, recording: Recording, palette: Palette, rate_hz: float) -> list[Sink]:
    """Makes what was asked for, before a frame is shown.

    Args:
        wanted: what.
        recording: whose frames.
        palette: a colour for each class.
        rate_hz: of the video.

    Raises:
        UsageError: results would overwrite what is read, or each other.
        StorageError: the video can't be written.
        MissingPackage: a video without PyAV.
    """
    if wanted.overlay and wanted.out is None:
        raise UsageError("--overlay was given without --out, the folder for the overlays; give both, or --video")
    if wanted.video is not None and wanted.video.resolve() in {file.resolve() for file in recording.inputs}:
        raise UsageError(f"{wanted.video}: the video would overwrite what it is made of; give --video another name")
    sinks: list[Sink] = []
    if wanted.out is not None:
        sinks.append(LabelFiles(palette, _files(recording, wanted.out, overlay=wanted.overlay)))
    if wanted.video is not None:
        sinks.append(OverlayVideo(palette, wanted.video, rate_hz))
    return sinks


def _files(recording: Recording, out: Path, *, overlay: bool) -> Callable[[str], Outputs]:
    if recording.pictures:
        return plan_outputs(recording.pictures, out, overlay=overlay).__getitem__
    return lambda name: Outputs(labels=out / f"{name}.png", overlay=out / f"{name}.overlay.png" if overlay else None)
