"""A measured run as a record: a JSON object that can be compared later, and the table rows of it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.latency import LatencyRun
from benchmarks.summary import HISTOGRAM_BINS as HISTOGRAM_BINS
from benchmarks.summary import histogram as histogram
from benchmarks.summary import latency_summary as latency_summary
from runtime.engine.providers import precision_notes
from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec

SCHEMA_VERSION = 1


def bench_record(
    segmenter: Segmenter,
    path: Path,
    run: LatencyRun,
    *,
    frames_from: str,
    load_ms: float,
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """Composes the JSON object of one measured run.

    Args:
        segmenter: the one that was measured.
        path: the model file, recorded by its name and size.
        run: the times.
        frames_from: where the frames came from, in words.
        load_ms: milliseconds that opening the file took, the engine's own preparation included.
        machine: `benchmarks.machine.machine_record()`.
    """
    spec = segmenter.spec
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench",
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            "file": path.name,
            "sha256": segmenter.sha256,
            "bytes": path.stat().st_size,
            "precision": spec.precision,
            "width_px": spec.width_px,
            "height_px": spec.height_px,
            "classes": len(spec.classes),
            **door_facts(spec),
        },
        "provider": segmenter.provider,
        "threads": segmenter.options.threads,
        "notes": [*precision_notes(segmenter.provider, spec.precision), *busy_notes(machine)],
        "frames": {
            "from": frames_from,
            "measured": len(run.samples_ms),
            "warmup": run.warmup_frames,
            "distinct": run.distinct_frames,
            "invalid": run.invalid_frames,
        },
        "load_ms": load_ms,
        "first_frame_ms": float(run.warmup_ms[0]) if run.warmup_frames else None,
        "latency_ms": latency_summary(run.samples_ms),
        "wall_s": run.wall_s,
        "frames_per_s": run.frames_per_s,
        "machine": dict(machine),
    }


def door_facts(spec: ModelSpec) -> dict[str, Any]:
    """Returns what a file takes and gives beside its network, as JSON: frames a call, camera, labels' size, outputs."""
    height_px, width_px = spec.labels_shape
    return {
        "batch": spec.batch,
        "camera": asdict(spec.camera) if spec.camera is not None else None,
        "labels_width_px": width_px,
        "labels_height_px": height_px,
        "confidence": spec.confidence is not None,
    }


def busy_notes(machine: Mapping[str, Any]) -> list[str]:
    """Returns a remark where more was running than there are cores, before the run itself began."""
    load, cores = machine["load_average"], machine["cores_usable"]
    if not load or not cores or load[0] <= cores:
        return []
    return [f"the machine was busy when this run began: load average {load[0]:.1f} on {cores} cores; measure again"]


def bench_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a record made by `bench_record`."""
    model, frames, latency, machine = (record[key] for key in ("model", "frames", "latency_ms", "machine"))
    rows = [
        ("file", f"{model['file']}, {model['bytes'] / 1e6:.2f} MB, sha256 {model['sha256'][:16]}"),
        ("network", f"{model['width_px']}x{model['height_px']}, {model['classes']} classes, {model['precision']}"),
        *_door_rows(model),
        ("provider", f"{record['provider']}, threads {record['threads'] or 'as ONNX Runtime chooses'}"),
        ("machine", _machine_line(machine)),
        (
            "frames",
            f"{frames['measured']} after {frames['warmup']} warm-up, {frames['distinct']} different: {frames['from']}",
        ),
    ]
    if model["batch"] > 1:
        rows.append(("times", f"of a call with {model['batch']} frames"))
    if frames["invalid"]:
        rows.append(("no valid answer", f"{frames['invalid']} of {frames['measured']} frames"))
    rows.append(("load", f"{record['load_ms']:.1f} ms"))
    if record["first_frame_ms"] is not None:
        rows.append(("first frame", f"{record['first_frame_ms']:.2f} ms"))
    rows += [(name, f"{latency[name]:.2f} ms") for name in ("min", "mean")]
    rows += [(name, f"{value:.2f} ms") for name, value in latency["percentiles"].items()]
    rows += [(name, f"withheld: needs {needed} frames") for name, needed in latency["withheld"].items()]
    rows.append(("max", f"{latency['max']:.2f} ms"))
    rows.append(("throughput", f"{record['frames_per_s']:.1f} frames/s, one after another"))
    return rows + [("note", note) for note in record["notes"]]


def _door_rows(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    camera = model["camera"]
    if camera is None:
        return []
    crop = "" if camera["crop"] is None else ", crop {2}x{3} at {0},{1}".format(*camera["crop"])
    confidence = " and confidence" if model["confidence"] else ""
    labels = f"labels{confidence} at {model['labels_width_px']}x{model['labels_height_px']}"
    size = f"{camera['width_px']}x{camera['height_px']}"
    return [("camera", f"{size} {camera['layout']}{crop}, resize {camera['resize']}, {labels}")]


def _machine_line(machine: Mapping[str, Any]) -> str:
    gpus = "".join(f", {gpu}" for gpu in machine["gpus"])
    packages: Mapping[str, str] = machine["packages"]
    engine = next((f"{name} {packages[name]}" for name in packages if name.startswith("onnxruntime")), "onnxruntime ?")
    return f"{machine['cpu']}, {machine['cores_usable']} cores{gpus}; {engine}"
