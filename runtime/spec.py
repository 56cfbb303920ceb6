"""ModelSpec: everything a program must know to use a model file, carried inside the file as one JSON document.

Built in one place (export/pipeline.py) and read in one place (here). It knows nothing of ONNX and needs no package.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .errors import SpecError

SCHEMA_VERSION = 1
"""Goes up with every change of the fields, also an addition, so that an older runtime refuses what it can't read."""

SPEC_KEY = "segtool.spec"
"""The ONNX metadata entry that holds the spec."""

PRECISIONS = ("fp32", "fp16", "int8")
INPUT_LAYOUTS = ("rgb_nhwc",)
IGNORE_ID = 255

_MAX_SIDE_PX = 16384


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a model file says of itself. Everything here has happened inside the graph already, or is for the record.

    Attributes:
        label_space: name of the label space ("categories").
        classes: class names; a class's place is its label, 0 to 254.
        palette: one RGB colour a class, each 0 to 255.
        height_px: height of the frame and of the label map.
        width_px: width of the frame and of the label map.
        mean: RGB mean that the graph takes off image / 255.
        std: RGB standard deviation that the graph then divides by, over 0.
        precision: of the graph's weights and arithmetic: "fp32", "fp16" or "int8"; the types at the door never change.
        training: JSON object: run, data_sha256, epoch, seed, mean_iou ...
        producer: JSON object: versions of segtool, torch, the opset ...
        parity: JSON object: the proof that the file agrees with the trained network; None before it was made.
        licence_note: what the data's or the network's licence asks to be passed on.
        resize: how the caller shrinks a larger image to height_px x width_px.
        input_layout: "rgb_nhwc": uint8 RGB [batch, height_px, width_px, 3], 0 to 255.
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
    resize: str = "antialiased-bilinear"
    input_layout: str = "rgb_nhwc"
    batch: int = 1
    ignore_id: int = IGNORE_ID
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise SpecError(f"model spec: {problem}; export the model with a corrected one")

    def to_json(self) -> str:
        """The spec as one line of JSON, its keys in the order of the fields.

        Raises:
            SpecError: `training`, `producer` or `parity` hold what JSON can't.
        """
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        try:
            return json.dumps(document, allow_nan=False, default=_plain_mapping)
        except (TypeError, ValueError, RecursionError) as error:
            raise SpecError(
                f"model spec: expected training, producer and parity to be JSON objects, but {error}; "
                "use dicts of text, finite numbers, lists and None"
            ) from error

    @classmethod
    def from_json(cls, text: str, where: str) -> "ModelSpec":
        """Reads a spec and checks every field.

        Args:
            text: the JSON document.
            where: the file it comes from, for error messages.

        Raises:
            SpecError: it is not JSON, has a newer schema, a field is missing, unknown, twice there or out of range.
        """
        document = _parse(text, where)
        version = document.get("schema_version")
        if type(version) is not int or version < 1:
            raise SpecError(
                f"{where}: expected a spec with a schema_version of 1 to {SCHEMA_VERSION}, got {version!r}; "
                "export the model again"
            )
        if version > SCHEMA_VERSION:
            raise SpecError(
                f"{where}: expected a spec of schema {SCHEMA_VERSION} or older, got schema {version}; "
                "update segtool-runtime, or export the model with an older segtool"
            )
        known = {field.name for field in fields(cls)}
        if set(document) != known:
            raise SpecError(
                f"{where}: expected the fields of spec schema {SCHEMA_VERSION}, got a spec without "
                f"{sorted(known - set(document))} and with unknown {sorted(set(document) - known)}; export it again"
            )
        values: dict[str, Any] = {name: _frozen(name, value) for name, value in document.items()}
        try:
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
    return value


def _plain_mapping(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _problems(spec: ModelSpec) -> Iterator[str]:
    """What is wrong with a spec, one sentence's worth each."""
    yield from _text_problems(spec)
    yield from _class_problems(spec)
    yield from _number_problems(spec)
    if spec.precision not in PRECISIONS:
        yield f"expected precision to be one of {', '.join(PRECISIONS)}, got {spec.precision!r}"
    if spec.input_layout not in INPUT_LAYOUTS:
        yield f"expected input_layout to be one of {', '.join(INPUT_LAYOUTS)}, got {spec.input_layout!r}"
    for name in ("training", "producer", "parity"):
        value = getattr(spec, name)
        if not isinstance(value, Mapping) and not (name == "parity" and value is None):
            yield f"expected {name} to be a JSON object, got {value!r:.60}"


def _text_problems(spec: ModelSpec) -> Iterator[str]:
    for name in ("label_space", "precision", "resize", "input_layout", "licence_note"):
        value = getattr(spec, name)
        if not isinstance(value, str) or (not value and name != "licence_note"):
            yield f"expected {name} to be text, got {value!r:.60}"


def _class_problems(spec: ModelSpec) -> Iterator[str]:
    classes, palette = spec.classes, spec.palette
    if not isinstance(classes, tuple) or not all(isinstance(name, str) and name for name in classes):
        yield f"expected classes to be names, got {classes!r:.60}"
        return
    if not 1 <= len(classes) <= IGNORE_ID:
        yield f"expected 1 to {IGNORE_ID} classes (255 is no class), got {len(classes)}"
    if len(set(classes)) != len(classes):
        yield f"expected each class name once, got {classes!r:.200}"
    if not isinstance(palette, tuple) or not all(map(_is_colour, palette)):
        yield f"expected palette to be RGB colours of 0 to 255, got {palette!r:.60}"
    elif len(palette) != len(classes):
        yield f"expected one colour for each of the {len(classes)} classes, got {len(palette)}"


def _is_colour(colour: object) -> bool:
    if not isinstance(colour, tuple) or len(colour) != 3:
        return False
    return all(type(level) is int and 0 <= level <= 255 for level in colour)


def _number_problems(spec: ModelSpec) -> Iterator[str]:
    for name in ("height_px", "width_px", "batch"):
        value = getattr(spec, name)
        if type(value) is not int or not 1 <= value <= _MAX_SIDE_PX:
            yield f"expected {name} to be 1 to {_MAX_SIDE_PX}, got {value!r:.60}"
    if type(spec.ignore_id) is not int or spec.ignore_id != IGNORE_ID:
        yield f"expected ignore_id {IGNORE_ID}, got {spec.ignore_id!r:.60}"
    if type(spec.schema_version) is not int or spec.schema_version != SCHEMA_VERSION:
        yield f"expected schema_version {SCHEMA_VERSION}, got {spec.schema_version!r:.60}"
    for name, lowest in (("mean", -math.inf), ("std", 0.0)):
        value = getattr(spec, name)
        if not isinstance(value, tuple) or len(value) != 3 or not all(_is_finite(v) and v > lowest for v in value):
            yield f"expected {name} to be three finite numbers{' over 0' if name == 'std' else ''}, got {value!r:.60}"


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # numbers only, by the first half
