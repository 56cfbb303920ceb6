"""PACK.zip: frames as a file takes them and what the trained network says of each: the proof, repeated without torch.

A plain zip: manifest.json, and for each frame `frames/00000/image.npy`, `labels.npy`, `margins.npy` and, where the data
set has one, `truth.npy`. The image is the camera's bytes, unchanged. The margins only sort pixels into confident ones
and near ties: as float16 they are off by less than 0.1 % and make half of a pack; a logarithmic uint8 would take a
third of that, but be off by 2 %, and anyone may move the gate that they are held against.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from export.proof.manifest import MANIFEST, PARTS, Manifest, member, read_manifest
from export.proof.npy import decode, encode
from runtime.errors import DataError, UsageError
from runtime.files import write_whole
from runtime.spec import IGNORE_ID, ModelSpec
from trainer.data.archive import MAX_MEMBER_BYTES, MAX_RATIO, ZipSource

LARGEST_PACK_BYTES = 2 * 2**30  # it is put together in memory, so that it is written whole or not at all
_LEVEL = 6
_SMALL_BYTES = 2**20  # archive.py takes any ratio of compression up to this size

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class PackFrame:
    """One frame of a pack.

    Attributes:
        name: of the frame in its data set, such as `val/1.jpg`.
        image: uint8 [spec.frame_shape], as the file takes it.
        truth_hw: uint8 [spec.labels_shape], 255 = ignored; None where the data set has none.
        reference_hw: uint8 [spec.labels_shape], the trained network's labels, 255 = no answer.
        margin_hw: float [spec.labels_shape], how far its winning class is ahead (`pixels.margins`); out of a pack
            float32 with the 11 bits of a float16, rounded towards 0.
    """

    name: str
    image: UInt8
    truth_hw: UInt8 | None
    reference_hw: UInt8
    margin_hw: NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack:
    """An open pack. Frames are read one at a time; each member is held against its SHA-256 as it is read.

    Attributes:
        path: the zip.
        sha256: of the whole zip, 64 hex digits.
        manifest: what it says of itself.
        source: where the bytes come from.
    """

    path: Path
    sha256: str
    manifest: Manifest
    source: ZipSource

    @property
    def spec(self) -> ModelSpec:
        """The door that the frames were made for: classes, sizes, camera, place of the labels."""
        return self.manifest.spec

    def __len__(self) -> int:
        return len(self.manifest.names)

    def __iter__(self) -> Iterator[PackFrame]:
        return (self.read(index) for index in range(len(self)))

    def read(self, index: int) -> PackFrame:
        """Reads one frame.

        Args:
            index: 0 to len - 1.

        Raises:
            DataError: no such frame, or a member is damaged, altered or of another type or shape.
        """
        if not 0 <= index < len(self):
            raise DataError(f"{self.path}: expected a frame from 0 to {len(self) - 1}, got {index}; count with len()")
        labels_shape, classes = self.spec.labels_shape, len(self.spec.classes)
        truth = self._array(index, "truth", np.uint8, labels_shape) if self.manifest.has_truth[index] else None
        reference = self._array(index, "labels", np.uint8, labels_shape)
        for part, labels_hw in (("labels", reference), ("truth", truth)):
            if labels_hw is not None and np.any(strange := (labels_hw >= classes) & (labels_hw != IGNORE_ID)):
                raise DataError(
                    f"{self.source.where(member(index, part))}: expected labels 0 to {classes - 1} or {IGNORE_ID}, got "
                    f"{labels_hw[strange][0]}; make the pack anew with `segtool pack`"
                )
        return PackFrame(
            name=self.manifest.names[index],
            image=self._array(index, "image", np.uint8, self.spec.frame_shape),
            truth_hw=truth,
            reference_hw=reference,
            # a threshold that is compared with float16 would be rounded to one as well
            margin_hw=self._array(index, "margins", np.float16, labels_shape).astype(np.float32),
        )

    def _array(self, index: int, part: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        name = member(index, part)
        where, data, expected = self.source.where(name), self.source.read(name), self.manifest.sha256[name]
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise DataError(
                f"{where}: expected the SHA-256 {expected} that the manifest names, got {found}; "
                "the pack was altered: copy or make it again"
            )
        return decode(data, dtype, shape, where)


def read_pack(path: Path) -> Pack:
    """Opens a pack and checks its manifest; no frame is decoded yet. Hostile zips are refused as a data set's are.

    Raises:
        DataError: no such file, not a sound zip, or not a pack of this version.
    """
    source = ZipSource(path)
    manifest = read_manifest(source)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Pack(path=path, sha256=sha256, manifest=manifest, source=source)


def save_pack(path: Path, spec: ModelSpec, about: Mapping[str, object], frames: Iterable[PackFrame]) -> tuple[int, str]:
    """Writes a pack, whole or not at all.

    Args:
        path: the zip.
        spec: the door that the frames were made for.
        about: JSON object for the record: run, data, versions, licence note.
        frames: one or more, of the spec's shapes; taken one at a time.

    Returns:
        Its size in bytes and its SHA-256.

    Raises:
        UsageError: no frames, or more than fit into 2 GiB.
        DataError: a frame is not of the spec's shapes.
        StorageError: the disk is full, or the folder can't be written.
    """
    stream = io.BytesIO()
    names, with_truth, hashes = [], [], {}
    with zipfile.ZipFile(stream, "w") as archive:
        for index, frame in enumerate(frames):
            for part, array in _arrays(frame, spec).items():
                name, data = member(index, part), encode(array)
                archive.writestr(zipfile.ZipInfo(name), data, _method(data), compresslevel=_LEVEL)
                hashes[name] = hashlib.sha256(data).hexdigest()
            names.append(frame.name)
            with_truth.append(frame.truth_hw is not None)
            if stream.tell() > LARGEST_PACK_BYTES:
                raise UsageError(
                    f"{path}: expected a pack of at most {LARGEST_PACK_BYTES} bytes, got more with frame "
                    f"{index + 1}; give fewer --frames"
                )
        if not names:
            raise UsageError(f"{path}: expected one frame or more for a pack, got none; give --frames of 1 or more")
        manifest = Manifest(spec=spec, about=about, names=tuple(names), has_truth=tuple(with_truth), sha256=hashes)
        archive.writestr(zipfile.ZipInfo(MANIFEST), manifest.to_json().encode(), zipfile.ZIP_DEFLATED)
    data = stream.getvalue()
    write_whole(path, data)
    return len(data), hashlib.sha256(data).hexdigest()


def _arrays(frame: PackFrame, spec: ModelSpec) -> dict[str, NDArray[Any]]:
    """The frame's arrays by part, checked as `Pack.read` will check them."""
    parts = (frame.image, frame.reference_hw, _half_towards_zero(frame.margin_hw))
    arrays: dict[str, NDArray[Any]] = dict(zip(PARTS, parts, strict=True))
    if frame.truth_hw is not None:
        arrays["truth"] = frame.truth_hw
    for part, array in arrays.items():
        shape = spec.frame_shape if part == "image" else spec.labels_shape
        dtype = np.dtype(np.float16 if part == "margins" else np.uint8)
        if array.shape != shape or array.dtype != dtype:
            raise DataError(
                f"{frame.name}: expected {part} of {dtype} {list(shape)}, got {array.dtype} {list(array.shape)}; "
                "make it of the pack's own spec"
            )
        if array.nbytes > MAX_MEMBER_BYTES // 2:
            raise DataError(
                f"{frame.name}: expected {part} of at most {MAX_MEMBER_BYTES // 2} bytes, got {array.nbytes}; "
                "give a smaller camera"
            )
    return arrays


def _half_towards_zero(margin_hw: NDArray[np.floating]) -> NDArray[np.float16]:
    """Margins as float16, none of them larger than it was: so no near tie is taken for a confident pixel."""
    with np.errstate(over="ignore"):
        half = margin_hw.astype(np.float16)
    return np.where(half > margin_hw, np.nextafter(half, np.float16(0)), half)


def _method(data: bytes) -> int:
    """Deflate, but for a large map of so few labels that its ratio would look hostile to the reader (archive.py)."""
    if len(data) > _SMALL_BYTES and len(zlib.compress(data, _LEVEL)) * MAX_RATIO < 2 * len(data):
        return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED
