"""The manifest of a pack: what it was made for and from, which frames it holds and what their bytes must hash to."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.errors import DataError, SpecError
from runtime.spec import ModelSpec
from trainer.data.archive import ZipSource
from trainer.json_file import json_bytes

MANIFEST = "manifest.json"
KIND, SCHEMA_VERSION = "segtool-pack", 1
PARTS = ("image", "labels", "margins")  # of every frame; "truth" of those that have one
_LARGEST_BYTES = 16 * 2**20  # tens of thousands of frames
_FIELDS = {"kind", "schema_version", "spec", "about", "frames", "sha256"}
_FRAME_FIELDS = {"name", "truth"}
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """What a pack says of itself.

    Attributes:
        spec: the trained network in fp32 behind the door that the frames were made for.
        about: JSON object for the record: run, data, versions, licence note.
        names: of the frames, in their order.
        has_truth: of each frame, whether the data set knows the truth.
        sha256: of each member but the manifest, 64 hex digits.
    """

    spec: ModelSpec
    about: Mapping[str, object]
    names: tuple[str, ...]
    has_truth: tuple[bool, ...]
    sha256: Mapping[str, str]

    def members(self) -> frozenset[str]:
        """The name of every member that belongs to the frames."""
        return frozenset(
            member(index, part)
            for index, has_truth in enumerate(self.has_truth)
            for part in (*PARTS, *(("truth",) if has_truth else ()))
        )

    def to_json(self) -> str:
        """The manifest as indented JSON; a name that is no UTF-8 is escaped."""
        frames = [{"name": name, "truth": truth} for name, truth in zip(self.names, self.has_truth, strict=True)]
        document = {
            "kind": KIND,
            "schema_version": SCHEMA_VERSION,
            "spec": json.loads(self.spec.to_json()),
            "about": dict(self.about),
            "frames": frames,
            "sha256": dict(self.sha256),
        }
        return json.dumps(document, indent=1, allow_nan=False)


def member(index: int, part: str) -> str:
    """The member that holds one part of a frame: "image", "labels", "margins" or "truth"."""
    return f"frames/{index:05d}/{part}.npy"


def read_manifest(source: ZipSource) -> Manifest:
    """Reads and checks a pack's manifest, and that the zip holds the members that it names, no more and no fewer.

    Raises:
        DataError: there is none, it is of a newer version, or something in it is not as it should be.
    """
    where = source.where(MANIFEST)
    if MANIFEST not in source.names():
        raise DataError(
            f"{source.path}: expected a pack with a {MANIFEST}, got a zip without one; "
            "give a PACK.zip that `segtool pack` wrote"
        )
    document = _document(source.read(MANIFEST), where)
    try:
        spec = ModelSpec.from_json(json.dumps(document["spec"]), where)
    except SpecError as error:
        raise DataError(f"{error} (the spec in the pack; make the pack anew with `segtool pack`)") from error
    frames = document["frames"]
    manifest = Manifest(
        spec=spec,
        about=document["about"],
        names=tuple(frame["name"] for frame in frames),
        has_truth=tuple(frame["truth"] for frame in frames),
        sha256=document["sha256"],
    )
    expected = manifest.members()
    for place, found in (("in the zip", set(source.names()) - {MANIFEST}), ("with a SHA-256", set(manifest.sha256))):
        if found != expected:
            raise DataError(
                f"{where}: expected the {len(expected)} members of {len(frames)} frames {place}, got "
                f"{sorted(found - expected)[:3]} besides and {sorted(expected - found)[:3]} missing; "
                "copy the pack again, or make it anew with `segtool pack`"
            )
    return manifest


def _document(data: bytes, where: str) -> dict[str, Any]:
    problem = None
    if len(data) > _LARGEST_BYTES:
        problem = f"{len(data)} bytes, over {_LARGEST_BYTES}"
    else:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            problem = f"text that is no JSON ({error})"
        else:
            problem = _problem(document) or _unwritable(document["about"])
    if problem is not None:
        raise DataError(
            f"{where}: expected a pack's manifest of version {SCHEMA_VERSION}, got {problem}; "
            "make the pack anew with `segtool pack`, or update segtool where the pack is newer"
        )
    return document


def _problem(document: object) -> str | None:
    """What is wrong with a manifest's fields; None where nothing is."""
    if not isinstance(document, dict) or document.get("kind") != KIND:
        return f"{document!r:.60} of another kind than {KIND!r}"
    if document.get("schema_version") != SCHEMA_VERSION or set(document) != _FIELDS:
        return f"version {document.get('schema_version')!r:.20} with the fields {sorted(document)!r:.200}"
    for name in ("spec", "about", "sha256"):
        if not isinstance(document[name], dict):
            return f"{name} that is no JSON object, {document[name]!r:.60}"
    frames = document["frames"]
    if not isinstance(frames, list) or not frames or not all(map(_is_frame, frames)):
        return f"frames that are no list of names, {frames!r:.60}"
    wrong = [value for value in document["sha256"].values() if not isinstance(value, str) or not _HASH.fullmatch(value)]
    return f"a SHA-256 of {wrong[0]!r:.70}" if wrong else None


def _unwritable(about: object) -> str | None:
    """Why what a pack is about can't stand in a record, such as NaN, which Python reads; None where it can."""
    try:
        json_bytes({"about": about})
    except (ValueError, RecursionError) as error:
        return f"an about that no JSON file can hold ({error})"
    return None


def _is_frame(frame: object) -> bool:
    return (
        isinstance(frame, dict)
        and set(frame) == _FRAME_FIELDS
        and isinstance(frame["name"], str)
        and isinstance(frame["truth"], bool)
    )
