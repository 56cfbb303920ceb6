"""Labels pictures with a model file and writes the label maps: the whole of `segtool predict` but its options."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from benchmarks.labelling import label_each
from runtime.errors import DataError, UsageError
from runtime.files import write_whole
from runtime.overlay import blend
from runtime.segmenter import Segmenter
from trainer.data.images import decode_image, encode_png, resize_labels
from trainer.data.layout import SUFFIXES, is_picture
from trainer.data.progress import track
from trainer.data.source import open_source

NAMED_AT_MOST = 5  # bad images told by name; the rest by number


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image to label.

    Attributes:
        name: its path below the folder or in the zip, "/"-separated; the file's name for a single image.
        where: what an error message calls it.
        path: the file itself; None in a zip.
        read: returns its bytes.
    """

    name: str
    where: str
    path: Path | None
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where one picture's results go; `overlay` is None where none was asked for."""

    labels: Path
    overlay: Path | None


@dataclass(frozen=True, kw_only=True)
class PredictionSummary:
    """What was done.

    Attributes:
        written: pictures whose label map was written.
        invalid: names of those whose map holds label 255, no valid answer.
    """

    written: int
    invalid: tuple[str, ...]


def list_pictures(path: Path) -> tuple[Picture, ...]:
    """Finds the pictures to label: a single image, or every JPEG and PNG in a folder or zip.

    Raises:
        DataError: nothing is there, or no picture is in it.
    """
    if path.is_file() and is_picture(path.name):
        return (Picture(name=path.name, where=str(path), path=path, read=lambda: _read_file(path)),)
    if not path.is_dir() and path.suffix.lower() != ".zip":
        raise DataError(
            f"{path}: expected an image ({', '.join(SUFFIXES)}), a folder or a .zip, "
            f"got {'another kind of file' if path.exists() else 'nothing of that name'}; check the path"
        )
    source = open_source(path)

    def picture(name: str) -> Picture:
        file = path / name if path.is_dir() else None
        return Picture(name=name, where=source.where(name), path=file, read=lambda: source.read(name))

    pictures = tuple(picture(name) for name in source.names() if is_picture(name))
    if not pictures:
        raise DataError(f"{path}: images ({', '.join(SUFFIXES)}) were expected, found none; check the path")
    return pictures


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: a readable image was expected, got '{error.strerror}'; check its permissions"
        ) from error


def plan_outputs(pictures: Iterable[Picture], out: Path, *, overlay: bool) -> dict[str, Outputs]:
    """Chooses the file of each result before any work: OUT/NAME.png, and OUT/NAME.overlay.png where asked for.

    Args:
        pictures: what will be labelled.
        out: the folder for the results.
        overlay: whether overlays are wanted.

    Returns:
        The outputs by the picture's name.

    Raises:
        UsageError: two results would share one file, or a result would overwrite an input picture.
    """
    inputs = {picture.path.resolve() for picture in pictures if picture.path is not None}
    taken: dict[Path, str] = {}
    planned: dict[str, Outputs] = {}
    for picture in pictures:
        stem = out / PurePosixPath(picture.name).with_suffix("")
        labels = stem.with_name(f"{stem.name}.png")
        blended = stem.with_name(f"{stem.name}.overlay.png") if overlay else None
        for file in (labels, blended):
            if file is None:
                continue
            if file.resolve() in inputs:
                raise UsageError(f"{file}: a result would overwrite this input picture; give --out another folder")
            if file in taken:
                raise UsageError(
                    f"{file}: the results of {taken[file]} and {picture.name} would share this name; "
                    "rename one of them, or label them into two folders"
                )
            taken[file] = picture.name
        planned[picture.name] = Outputs(labels=labels, overlay=blended)
    return planned


def predict_pictures(segmenter: Segmenter, path: Path, out: Path, *, overlay: bool = False) -> PredictionSummary:
    """Labels a picture, or every picture in a folder or zip, and writes one label PNG for each.

    A picture is shown to the network as the file's camera would deliver it; the labels come back to the picture's own
    size by `resize_labels`. A picture that can't be read does not keep the others from being labelled; they are told
    together at the end.

    Args:
        segmenter: an open one; left open.
        path: an image, a folder or a zip.
        out: the folder for the results, made where it is not there.
        overlay: also write each image with its classes' colours blended over it.

    Raises:
        DataError: nothing to label, or at least one picture was not readable (the others' results are written).
        UsageError: results would overwrite a picture or each other, or lie inside the folder of pictures.
        StorageError: a result could not be written.
    """
    pictures = list_pictures(path)
    outputs = plan_outputs(pictures, out, overlay=overlay)
    if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
        raise UsageError(
            f"{out}: results inside {path} would be labelled themselves the next time; give --out another folder"
        )
    bad: list[DataError] = []
    invalid: list[str] = []
    images = (((name, image_hwc), image_hwc) for name, image_hwc in _readable(pictures, bad))
    for (name, image_hwc), labels_hw, valid in label_each(segmenter, images):
        if not valid:
            invalid.append(name)
        at_its_size_hw = resize_labels(labels_hw, *image_hwc.shape[:2])
        write_results(outputs[name], image_hwc, at_its_size_hw, segmenter.spec.palette)
    if bad:
        raise _told_together(bad, len(pictures), out)
    return PredictionSummary(written=len(pictures), invalid=tuple(invalid))


def _readable(pictures: Sequence[Picture], bad: list[DataError]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Yields name and image uint8 [H, W, 3] of each picture that can be read; the errors of others go into `bad`."""
    for picture in track(pictures, "labelling", len(pictures)):
        try:
            image_hwc = decode_image(picture.read(), picture.where)
        except DataError as error:
            bad.append(error)
            continue
        yield picture.name, image_hwc


def write_results(
    outputs: Outputs,
    image_hwc: npt.NDArray[np.uint8],
    labels_hw: npt.NDArray[np.uint8],
    palette: tuple[tuple[int, int, int], ...],
) -> None:
    """Writes what `plan_outputs` planned for one picture; StorageError where it can't be written.

    Args:
        outputs: the files.
        image_hwc: uint8 [H, W, 3], RGB.
        labels_hw: uint8 [H, W], of the image's size.
        palette: a colour for each class.
    """
    write_whole(outputs.labels, encode_png(labels_hw))
    if outputs.overlay is not None:
        write_whole(outputs.overlay, encode_png(blend(image_hwc, labels_hw, palette)))


def _told_together(bad: list[DataError], total: int, out: Path) -> DataError:
    told = "; ".join(str(error) for error in bad[:NAMED_AT_MOST])
    more = f"; and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
    if total == 1:
        return DataError(told)
    written = f"the labels of the other {total - len(bad)} are in {out}"
    return DataError(f"{len(bad)} of {total} images could not be read: {told}{more} ({written})")
