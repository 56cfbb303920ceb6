"""What a record says of the model file that was measured: one shape for `bench`, `stream` and `eval`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.spec import ModelSpec


def model_facts(spec: ModelSpec, path: Path, sha256: str) -> dict[str, Any]:
    """Returns what a file is, as JSON: its name, hash and size, its network, and what it takes and gives.

    Args:
        spec: the file's.
        path: recorded by its name and size.
        sha256: of the whole file, as the runtime counted it.
    """
    labels_height_px, labels_width_px = spec.labels_shape
    return {
        "file": path.name,
        "sha256": sha256,
        "bytes": path.stat().st_size,
        "network": network_name(spec.training),
        "precision": spec.precision,
        "width_px": spec.width_px,
        "height_px": spec.height_px,
        "classes": len(spec.classes),
        "batch": spec.batch,
        "camera": asdict(spec.camera) if spec.camera is not None else None,
        "labels_width_px": labels_width_px,
        "labels_height_px": labels_height_px,
        "confidence": spec.confidence is not None,
    }


def network_name(training: Mapping[str, Any]) -> str | None:
    """Returns the network's name in a spec's `training`, with its width where that is a setting: "unet 16"."""
    network = training.get("config", {}).get("network", {})
    words = [str(network[key]) for key in ("name", "width") if key in network]
    return " ".join(words) or None


def model_rows(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of what `model_facts` gave."""
    network = "" if model["network"] is None else f"{model['network']}, "
    rows = [
        ("file", f"{model['file']}, {model['bytes'] / 1e6:.2f} MB, sha256 {model['sha256'][:16]}"),
        (
            "network",
            f"{network}{model['width_px']}x{model['height_px']}, {model['classes']} classes, {model['precision']}",
        ),
    ]
    camera = model["camera"]
    if camera is not None:
        crop = "" if camera["crop"] is None else ", crop {2}x{3} at {0},{1}".format(*camera["crop"])
        confidence = " and confidence" if model["confidence"] else ""
        labels = f"labels{confidence} at {model['labels_width_px']}x{model['labels_height_px']}"
        size = f"{camera['width_px']}x{camera['height_px']}"
        rows.append(("camera", f"{size} {camera['layout']}{crop}, resize {camera['resize']}, {labels}"))
    if model["batch"] > 1:
        rows.append(("times", f"of a call with {model['batch']} frames"))
    return rows
