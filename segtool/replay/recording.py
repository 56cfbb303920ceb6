"""Where the frames of a replay come from: pictures, a video or a camera, told apart by how they are named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError, UsageError
from segtool.prediction import Picture

CAMERA = "camera:"


@dataclass(frozen=True, kw_only=True, eq=False)
class Shot:
    """One frame of a recording, or why it could not be read.

    Attributes:
        name: for the files made of it, "/"-separated, such as "day/12.jpg"; a video's are numbers, "000012".
        image_hwc: uint8 [H, W, 3], RGB; None where it could not be read.
        error: why not; None where it was.
        arrived_ns: when a live camera delivered it, in nanoseconds of `time.monotonic_ns`; None in a recording.
    """

    name: str
    image_hwc: npt.NDArray[np.uint8] | None = None
    error: DataError | None = None
    arrived_ns: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Frames in their order.

    Attributes:
        told: where they come from, in words.
        shots: begins from the start and reads a frame when it is asked for; a live camera's never end.
        rate_hz: frames per second that it was made with; None where nothing says so.
        live: a camera, which has a pace of its own.
        inputs: the files that are read, where they are files of their own; no result may overwrite them.
        pictures: that it is made of; none in a video.
    """

    told: str
    shots: Callable[[], Iterator[Shot]]
    rate_hz: float | None = None
    live: bool = False
    inputs: tuple[Path, ...] = ()
    pictures: tuple[Picture, ...] = ()


def open_recording(source: str, *, rate_hz: float | None = None, split: str | None = None) -> Recording:
    """Opens what `--source` names.

    Args:
        source: an image, a folder or a zip of images, a data set, a video file, or "camera:0".
        rate_hz: frames per second to ask of a camera; None leaves it to the camera.
        split: of a data set, only this one of its splits.

    Raises:
        DataError: nothing is there, or it holds no frame.
        UsageError: a split was asked for and this is not a data set.
        MissingPackage: a video or a camera, and PyAV is not installed.
    """
    from segtool.replay.pictures import holds_pictures, picture_recording
    from segtool.replay.video import camera_recording, video_recording

    if not source.startswith(CAMERA) and holds_pictures(Path(source)):
        return picture_recording(Path(source), split)
    if split is not None:
        raise UsageError(f"{source}: --split {split} was given, which is for a data set; leave it out")
    if source.startswith(CAMERA):
        return camera_recording(source.removeprefix(CAMERA), rate_hz)
    return video_recording(Path(source))
