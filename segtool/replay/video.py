"""Videos and cameras through PyAV, the package `av` of the extra `video`; the only file that reads with it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from runtime.errors import DataError, MissingPackage, UsageError
from segtool.replay.recording import CAMERA, Recording, Shot

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

# FFmpeg's way to cameras, and what it calls one: by number on Linux and macOS, by name on Windows
DEVICES = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("dshow", "video={}"),
}
_UNSAID, _BT601, _BT709 = 2, 5, 1  # AVColorSpace of a frame, SWS_CS_ITU601 and SWS_CS_ITU709
_HD_ROWS = 720


def import_av() -> ModuleType:
    """Returns PyAV.

    Raises:
        MissingPackage: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPackage(
            f"a video or a camera needs the package av (PyAV), which could not be imported ({error}); "
            'run: pip install "segtool[video]"',
            name="av",
        ) from error
    return av


def video_recording(path: Path) -> Recording:
    """Opens a video file once, to see that it is one and how fast it plays.

    Raises:
        DataError: no such file, or nothing that FFmpeg takes for a video.
        MissingPackage: PyAV is not installed.
    """
    if not path.is_file():
        raise DataError(f"{path}: expected a folder, a zip, an image, a video or camera:0, got no such file")
    with _open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
    return Recording(
        told=path.name,
        shots=lambda: _file_shots(path),
        rate_hz=float(rate) if rate else None,
        inputs=(path,),
    )


def camera_recording(device: str, rate_hz: float | None) -> Recording:
    """A camera of this computer; nothing is opened before its frames are asked for.

    Args:
        device: its number, from 0, a path such as /dev/video2, or (on Windows) the system's name for it.
        rate_hz: frames per second to ask of it; None leaves it to the camera.

    Raises:
        UsageError: no device named, or a system whose cameras are not known here.
        MissingPackage: PyAV is not installed.
    """
    if not device or sys.platform not in DEVICES:
        known = ", ".join(DEVICES)
        raise UsageError(
            f"{CAMERA}{device}: expected {CAMERA}0 or another number or name, on one of {known}, got {device!r} on "
            f"{sys.platform}; correct it"
        )
    import_av()
    kind, pattern = DEVICES[sys.platform]
    name = device if "/" in device else pattern.format(device)
    options = {} if rate_hz is None else {"framerate": f"{rate_hz:g}"}

    def shots() -> Iterator[Shot]:
        with _open(name, kind, options) as container:
            for shot in _decode(container, f"{CAMERA}{device}"):
                yield Shot(name=shot.name, image_hwc=shot.image_hwc, error=shot.error, arrived_ns=time.monotonic_ns())

    return Recording(told=f"{CAMERA}{device}", shots=shots, rate_hz=rate_hz, live=True)


def to_rgb(frame: "VideoFrame") -> npt.NDArray[np.uint8]:
    """A decoded frame as RGB, the right way up.

    Colours follow the matrix that the frame names; where it names none, BT.709 from 720 rows on and BT.601 below, as
    players have it.

    Returns:
        uint8 [H, W, 3], contiguous.
    """
    unsaid = int(frame.colorspace) == _UNSAID
    matrix = (_BT709 if frame.height >= _HD_ROWS else _BT601) if unsaid else None
    image_hwc = frame.to_ndarray(format="rgb24", src_colorspace=matrix)
    turns = round(frame.rotation / 90) % 4  # counter-clockwise, as np.rot90 has it
    return np.ascontiguousarray(np.rot90(image_hwc, turns))


def _open(name: str, kind: str | None = None, options: dict[str, str] | None = None) -> "InputContainer":
    av = import_av()
    try:
        container: InputContainer = av.open(name, "r", format=kind, options=options or {})
    except (av.FFmpegError, ValueError) as error:  # ValueError: this FFmpeg lacks that kind of device
        what = "a video" if kind is None else "a camera that can be opened"
        raise DataError(f"{name}: expected {what}, got '{error}'; check the path, or try it with ffprobe") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{name}: expected a video, got a file without a stream of pictures; name another one")
    container.streams.video[0].thread_type = "AUTO"
    return container


def _file_shots(path: Path) -> Iterator[Shot]:
    with _open(str(path)) as container:
        yield from _decode(container, str(path))


def _decode(container: "InputContainer", where: str) -> Iterator[Shot]:
    """Yields every frame; one that is damaged as its error, and what can't be read any further as a last one."""
    av = import_av()
    packets = container.demux(container.streams.video[0])
    count = 0
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            yield _unreadable(count, where, error)
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            yield _unreadable(count, where, error)
            count += 1
            continue
        for frame in frames:
            yield Shot(name=f"{count:06d}", image_hwc=to_rgb(frame))
            count += 1


def _unreadable(count: int, where: str, error: Exception) -> Shot:
    told = f"{where}: expected a readable frame {count}, got '{error}'; repair or cut the recording"
    return Shot(name=f"{count:06d}", error=DataError(told))
