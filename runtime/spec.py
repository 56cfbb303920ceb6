"""ModelSpec: everything a program must know to use a model file, carried inside the file as one JSON document.

Built in one place (export/pipeline.py) and read in one place (here). It knows nothing of ONNX and needs no package.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .camera import CameraSpec
from .errors import SpecError
from .spec_checks import IGNORE_ID, PRECISIONS, SCHEMA_VERSION, problems

__all__ = ["IGNORE_ID", "PRECISIONS", "SCHEMA_VERSION", "SPEC_KEY", "ModelSpec"]

SPEC_KEY = "segtool.spec"
"""The ONNX metadata entry that holds the spec."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a model file says of itself. Everything here has happened inside the graph already, or is for the record.

    Attributes:
        label_space: name of the label space ("categories").
        classes: class names; a class's place is its label, 0 to 254.
        palette: one RGB colour a class, each 0 to 255.
        height_px: height of what the network sees.
        width_px: width of what the network sees.
        mean: RGB mean that the graph takes off image / 255.
        std: RGB standard deviation that the graph then divides by, over 0.
        precision: of the graph's weights and arithmetic: "fp32", "fp16" or "int8"; the types at the door never change.
        training: JSON object: run, data_sha256, epoch, seed, mean_iou ...
        producer: JSON object: versions of segtool, torch, the opset ...
        parity: JSON object: the proof that the file agrees with the trained network; None before it was made.
        licence_note: what the data's or the network's licence asks to be passed on.
        camera: how the camera delivers a frame; None where a frame is uint8 RGB of the network's size, and the caller
            shrinks larger ones by `resize`.
        labels_at: size of the label map: "network", or "camera" (of its crop, where there is one).
        labels_from: what is enlarged for labels at the camera's size: "logits", or "labels" to the nearest.
        confidence: JSON object: the temperature that divides the logits before the softmax, and the calibration error
            before and after; None where the file has no output "confidence".
        golden: JSON object: where the frames of the self-test come from and what share of labels must agree for each
            provider; None where the file carries none.
        expected: JSON object: what the answers of the proof were like, so that others can be told from them: `frames`
            counted; `shares`, the lowest and the highest share of a frame by class; `unsure`, the highest share of a
            frame with low confidence (None without that output); all as runtime/stream/plausibility.py counts them.
            None before the proof.
        numerics: JSON object: what was done for the precision: nodes left in float, how int8 was calibrated.
        resize: the rule by which a larger image is shrunk, in the graph or by the caller.
        batch: frames in one run.
        ignore_id: the label that means "no valid answer", 255.
        schema_version: of this document.
    """

    label_space: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    height_px: int
    width_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    precision: str
    training: Mapping[str, object]
    producer: Mapping[str, object]
    parity: Mapping[str, object] | None = None
    licence_note: str = ""
    camera: CameraSpec | None = None
    labels_at: str = "network"
    labels_from: str = "labels"
    confidence: Mapping[str, object] | None = None
    golden: Mapping[str, object] | None = None
    expected: Mapping[str, object] | None = None
    numerics: Mapping[str, object] | None = None
    resize: str = "antialiased-bilinear"
    batch: int = 1
    ignore_id: int = IGNORE_ID
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for problem in problems({field.name: getattr(self, field.name) for field in fields(self)}):
            raise SpecError(f"model spec: {problem}; export the model with a corrected one")

    @property
    def layout(self) -> str:
        """How the bytes of a frame lie: "rgb", or what `camera` says."""
        return self.camera.layout if self.camera is not None else "rgb"

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame, uint8: [H,W,3] for "rgb" and "bgr", [H,W,2] for "uyvy", [H*3/2,W] for "nv12"."""
        return self.camera.frame_shape if self.camera is not None else (self.height_px, self.width_px, 3)

    @property
    def labels_shape(self) -> tuple[int, int]:
        """Height and width of one label map."""
        if self.camera is None or self.labels_at == "network":
            return self.height_px, self.width_px
        return self.camera.seen_shape

    def to_json(self) -> str:
        """The spec as one line of JSON, its keys in the order of the fields.

        Raises:
            SpecError: `training`, `producer`, `parity` or the like hold what JSON can't.
        """
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        try:
            return json.dumps(document, allow_nan=False, default=_plain)
        except (TypeError, ValueError, RecursionError) as error:
            raise SpecError(
                f"model spec: expected training, producer, parity and the like to be JSON objects, but {error}; "
                "use dicts of text, finite numbers, lists and None"
            ) from error

    @classmethod
    def from_json(cls, text: str, where: str) -> "ModelSpec":
        """Reads a spec and checks every field.

        Args:
            text: the JSON document.
            where: the file it comes from, for error messages.

        Raises:
            SpecError: it is not JSON or of another schema, or a field is missing, unknown, twice there or out of range.
        """
        document = _parse(text, where)
        version = document.get("schema_version")
        if type(version) is not int or version < 1:
            raise SpecError(
                f"{where}: expected a spec with a schema_version of 1 to {SCHEMA_VERSION}, got {version!r:.60}; "
                "export the model again"
            )
        if version < SCHEMA_VERSION:
            raise SpecError(
                f"{where}: expected a spec of schema {SCHEMA_VERSION}, got schema {version}, from an older segtool; "
                "export the model again with the segtool that is here"
            )
        if version > SCHEMA_VERSION:
            raise SpecError(
                f"{where}: expected a spec of schema {SCHEMA_VERSION}, got schema {version}, from a newer segtool; "
                "update segtool-runtime, or export the model with an older segtool"
            )
        known = {field.name for field in fields(cls)}
        if set(document) != known:
            raise SpecError(
                f"{where}: expected the fields of spec schema {SCHEMA_VERSION}, got a spec without "
                f"{sorted(known - set(document))} and with unknown {sorted(set(document) - known)}; export it again"
            )
        try:
            values: dict[str, Any] = {name: _frozen(name, value) for name, value in document.items()}
            return cls(**values)
        except SpecError as error:
            raise SpecError(f"{where}: {error}") from error


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(
            text, object_pairs_hook=_no_repeats, parse_float=_finite_float, parse_constant=_finite_float
        )
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{where}: expected a spec in JSON, got text that is not ({error}); export it again") from error
    if not isinstance(document, dict):
        raise SpecError(f"{where}: expected the spec to be a JSON object, got {text[:40]!r}; export the model again")
    return document


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return document


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is not finite")
    return value


def _frozen(name: str, value: object) -> object:
    # JSON has lists where the spec has tuples
    if name in ("classes", "mean", "std") and isinstance(value, list):
        return tuple(value)
    if name == "palette" and isinstance(value, list):
        return tuple(tuple(colour) if isinstance(colour, list) else colour for colour in value)
    if name == "camera" and value is not None:
        return CameraSpec.from_document(value)
    return value


def _plain(value: object) -> dict[str, object]:
    if isinstance(value, CameraSpec):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
