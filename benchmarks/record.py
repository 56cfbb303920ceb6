"""A bench as a record: one JSON object for every scenario, versioned, so that it can be read and compared later."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.model_facts import model_facts, model_rows
from runtime.engine.providers import precision_notes
from runtime.segmenter import Segmenter

SCHEMA_VERSION = 2


def file_record(segmenter: Segmenter, path: Path, accuracy: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns what a record says of one measured file: what it is, on what it ran, and how right it is there.

    Args:
        segmenter: open on the file, as it was measured.
        path: the file.
        accuracy: `accuracy_record` of this very file on this provider; None where no data set was given.
    """
    return {
        **model_facts(segmenter.spec, path, segmenter.sha256),
        "provider": segmenter.provider,
        "threads": segmenter.options.threads,
        "options": asdict(segmenter.options),
        "placement": segmenter.placement().to_dict(),
        "parity": _parity(segmenter.spec.parity),
        "accuracy": dict(accuracy) if accuracy is not None else None,
    }


def _parity(parity: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of the proof that travels in a file what stands in a table."""
    if parity is None or parity.get("agreement") is None:
        return None
    return {key: parity.get(key) for key in ("passed", "agreement", "frames")}


def bench_record(
    *,
    scenario: str,
    files: Sequence[Mapping[str, Any]],
    frames: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    machine: Mapping[str, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    notes: Sequence[str] = (),
    growth: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Composes the JSON object of one bench.

    Args:
        scenario: its name.
        files: `file_record` of each file; `results` refer to them by their place.
        frames: where the frames came from, in words (`from`), and how many different ones there were (`distinct`).
        results: what the scenario measured.
        machine: `benchmarks.machine.machine_record()`.
        before: `benchmarks.machine_state.machine_state()` right before the measurement.
        after: the same right after it.
        notes: remarks beside those that follow from files and machine.
        growth: of a sweep, how time grows with pixels.

    Returns:
        The JSON object; `gates` is empty, for what is asked of the figures is asked of the whole record.
    """
    precision = [note for file in files for note in precision_notes(file["provider"], file["precision"])]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "bench",
        "scenario": scenario,
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": [dict(file) for file in files],
        "frames": dict(frames),
        "machine": dict(machine),
        "state": {"before": dict(before), "after": dict(after)},
        "notes": list(dict.fromkeys([*precision, *busy_notes(machine), *notes])),
        "results": [dict(result) for result in results],
        "growth": [dict(each) for each in growth],
        "gates": [],
    }


def busy_notes(machine: Mapping[str, Any]) -> list[str]:
    """Returns a remark where more was running than there are cores, before the run itself began."""
    load, cores = machine["load_average"], machine["cores_usable"]
    if not load or not cores or load[0] <= cores:
        return []
    return [f"the machine was busy when this run began: load average {load[0]:.1f} on {cores} cores; measure again"]


def head_rows(record: Mapping[str, Any], file: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, that stand above a result of one of the record's files."""
    threads = file["threads"] or "as ONNX Runtime chooses"
    rows = [
        *model_rows(file),
        ("provider", f"{file['provider']}, threads {threads}"),
        ("machine", machine_line(record["machine"])),
        ("frames", f"{record['frames']['distinct']} different: {record['frames']['from']}"),
    ]
    accuracy = file["accuracy"]
    if accuracy is not None:
        worst = accuracy["worst_class"]
        told = f"{accuracy['mean_iou']:.4f}, worst class {worst['name']} {worst['iou']:.4f}"
        rows.append(("mean IoU", f"{told}, {accuracy['frames']} frames of {accuracy['data']}, {accuracy['split']}"))
    return rows


def machine_line(machine: Mapping[str, Any]) -> str:
    """Returns processor, cores, GPUs and engine in one line."""
    gpus = "".join(f", {gpu}" for gpu in machine["gpus"])
    packages: Mapping[str, str] = machine["packages"]
    engine = next((f"{name} {packages[name]}" for name in packages if name.startswith("onnxruntime")), "onnxruntime ?")
    return f"{machine['cpu']}, {machine['cores_usable']} cores{gpus}; {engine}"
