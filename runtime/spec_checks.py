"""What can be wrong with a spec, found on its plain values: one sentence's worth a problem."""

import math
import sys
from collections.abc import Iterator, Mapping

from .camera import CameraSpec

SCHEMA_VERSION = 3
"""Goes up with every change of the fields, also an addition, so that an older runtime refuses what it can't read."""

PRECISIONS = ("fp32", "fp16", "int8")
IGNORE_ID = 255

_MAX_SIDE_PX = 16384
_MOST_GOLDEN_FRAMES = 16
_OBJECTS = ("training", "producer", "parity", "confidence", "golden", "expected", "numerics")
_NEVER_NONE = ("training", "producer")
_CHOICES = {"precision": PRECISIONS, "labels_at": ("network", "camera"), "labels_from": ("logits", "labels")}

Values = Mapping[str, object]


def problems(spec: Values) -> Iterator[str]:
    """Yields what is wrong with the fields of a spec, by name; nothing where all is well."""
    yield from _text_problems(spec)
    yield from _class_problems(spec)
    yield from _number_problems(spec)
    for name, choices in _CHOICES.items():
        if spec[name] not in choices:
            yield f"expected {name} to be one of {', '.join(choices)}, got {spec[name]!r:.60}"
    for name in _OBJECTS:
        value = spec[name]
        if not isinstance(value, Mapping) and (value is not None or name in _NEVER_NONE):
            yield f"expected {name} to be a JSON object, got {value!r:.60}"
    yield from _confidence_problems(spec["confidence"])
    yield from _golden_problems(spec["golden"])
    yield from _expected_problems(spec)
    yield from _camera_problems(spec)


def _camera_problems(spec: Values) -> Iterator[str]:
    camera = spec["camera"]
    if camera is None:
        if spec["labels_at"] == "camera":
            yield "expected labels_at 'network' without a camera, got 'camera'"
    elif not isinstance(camera, CameraSpec):
        yield f"expected camera to be a CameraSpec, got {camera!r:.60}"
    elif camera.resize == "none" and camera.seen_shape != (spec["height_px"], spec["width_px"]):
        height_px, width_px = camera.seen_shape
        yield (
            f"expected camera.resize to say how {width_px}x{height_px} become "
            f"{spec['width_px']}x{spec['height_px']}, got 'none'"
        )


def _confidence_problems(confidence: object) -> Iterator[str]:
    if not isinstance(confidence, Mapping):
        return
    temperature = confidence.get("temperature")
    if not _is_finite(temperature) or not temperature > 0:  # type: ignore[operator]  # a number, by the first half
        yield f"expected confidence.temperature to be a number over 0, got {temperature!r:.60}"


def _expected_problems(spec: Values) -> Iterator[str]:
    expected, classes = spec["expected"], spec["classes"]
    if not isinstance(expected, Mapping) or not isinstance(classes, tuple):
        return
    frames, shares, unsure = expected.get("frames"), expected.get("shares"), expected.get("unsure")
    if not _is_count(frames, sys.maxsize):
        yield f"expected expected.frames to be 1 or more, got {frames!r:.60}"
    if not isinstance(shares, Mapping) or set(shares) != set(classes) or not all(map(_is_range, shares.values())):
        yield (
            "expected expected.shares to be a lowest and a highest share, 0 to 1, for each class and no other, "
            f"got {shares!r:.200}"
        )
    if (unsure is None) != (spec["confidence"] is None) or (unsure is not None and not _is_range((0, unsure))):
        yield f"expected expected.unsure to be a share, 0 to 1, or None without confidence, got {unsure!r:.60}"


def _golden_problems(golden: object) -> Iterator[str]:
    if not isinstance(golden, Mapping):
        return
    frames, source, agreement = golden.get("frames"), golden.get("source"), golden.get("agreement")
    if not _is_count(frames, _MOST_GOLDEN_FRAMES):
        yield f"expected golden.frames to be 1 to {_MOST_GOLDEN_FRAMES}, got {frames!r:.60}"
    if not isinstance(source, str) or not source:
        yield f"expected golden.source to be text, got {source!r:.60}"
    shares = list(agreement.values()) if isinstance(agreement, Mapping) and "*" in agreement else [None]
    if not all(map(_is_share, shares)):
        yield f"expected golden.agreement to be shares over 0 up to 1, by provider and '*', got {agreement!r:.60}"


def _text_problems(spec: Values) -> Iterator[str]:
    for name in ("label_space", "resize", "licence_note"):
        value = spec[name]
        if not isinstance(value, str) or (not value and name != "licence_note"):
            yield f"expected {name} to be text, got {value!r:.60}"


def _class_problems(spec: Values) -> Iterator[str]:
    classes, palette = spec["classes"], spec["palette"]
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


def _number_problems(spec: Values) -> Iterator[str]:
    for name in ("height_px", "width_px", "batch"):
        value = spec[name]
        if not _is_count(value, _MAX_SIDE_PX):
            yield f"expected {name} to be 1 to {_MAX_SIDE_PX}, got {value!r:.60}"
    if type(spec["ignore_id"]) is not int or spec["ignore_id"] != IGNORE_ID:
        yield f"expected ignore_id {IGNORE_ID}, got {spec['ignore_id']!r:.60}"
    if type(spec["schema_version"]) is not int or spec["schema_version"] != SCHEMA_VERSION:
        yield f"expected schema_version {SCHEMA_VERSION}, got {spec['schema_version']!r:.60}"
    for name, lowest in (("mean", -math.inf), ("std", 0.0)):
        value = spec[name]
        if not isinstance(value, tuple) or len(value) != 3 or not all(_is_finite(v) and v > lowest for v in value):
            yield f"expected {name} to be three finite numbers{' over 0' if name == 'std' else ''}, got {value!r:.60}"


def _is_count(value: object, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def _is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 < value <= 1  # type: ignore[operator]  # numbers only, by the first half


def _is_range(value: object) -> bool:
    """Whether it is a lowest and a highest share, 0 to 1; JSON has a list of them."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(_is_finite, value)):
        return False
    return bool(0 <= value[0] <= value[1] <= 1)


def _is_finite(value: object) -> bool:
    # NaN and Inf compare as False; math.isfinite would raise for a whole number beyond float's range
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]  # numbers only
