"""A replay as a record, a JSON object that can be compared later, and the table rows of it."""

import signal
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.model_facts import model_facts
from benchmarks.percentiles import PERCENTS
from benchmarks.record import busy_notes
from runtime.engine.providers import precision_notes
from runtime.segmenter import Segmenter
from runtime.stream.result import CameraCounts, Outcome
from segtool.prediction import NAMED_AT_MOST
from segtool.replay.player import Replay
from segtool.replay.recording import Recording
from segtool.replay.tally import time_summary
from segtool.replay.writer import ResultWriter

SCHEMA_VERSION = 1


def stream_record(
    segmenter: Segmenter,
    path: Path,
    recording: Recording,
    replay: Replay,
    writer: ResultWriter,
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """Composes the JSON object of a replay.

    Args:
        segmenter: the one that answered.
        path: the model file, recorded by its name and size.
        recording: what was shown.
        replay: how it went.
        writer: closed.
        machine: `benchmarks.machine.machine_record()`, from before.
    """
    spec, settings, pace, health = segmenter.spec, replay.settings, replay.pace, replay.health
    total = total_counts(replay)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "stream",
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model_facts(spec, path, segmenter.sha256),
        "provider": segmenter.provider,
        "threads": segmenter.options.threads,
        "notes": [
            *precision_notes(segmenter.provider, spec.precision),
            *busy_notes(machine),
            *_stop_notes(replay),
            *_decoding_notes(replay),
            *_writing_notes(writer),
        ],
        "settings": {
            "rate_hz": settings.rate_hz,
            "budget_ms": settings.budget_ms,
            "max_age_ms": settings.max_age_ms,
            "cameras": settings.cameras,
            "limit": settings.limit,
            "loop": settings.loop,
        },
        "source": {
            "from": recording.told,
            "live": recording.live,
            "own_rate_hz": recording.rate_hz,
            "frames": replay.shown,
            "unreadable": len(replay.unreadable),
            "unreadable_first": [str(error) for error in replay.unreadable[:NAMED_AT_MOST]],
            "decoded_late": pace.late_frames,
            "behind_ms": pace.behind_ns / 1e6,
            "most_behind_ms": pace.most_behind_ns / 1e6,
        },
        "interrupted_by": replay.signal_number,
        "wall_s": replay.wall_s,
        "frames_per_s": (total.ok + total.late) / replay.wall_s,
        "total": asdict(total),
        "cameras": {camera: asdict(counts) for camera, counts in replay.counts.items()},
        "reasons": {outcome.value: reason for outcome, reason in replay.tally.reasons.items()},
        "age_ms": time_summary(replay.tally.ages_ms()),
        "latency_ms": time_summary(replay.tally.latencies_ms()),
        "health": {
            "stale": health.stale if health is not None else None,
            "stuck": health.stuck if health is not None else "",
            "reasons": list(health.reasons) if health is not None else [],
            "undelivered": health.undelivered if health is not None else 0,
        },
        "written": writer.written,
        "unwritten": writer.unwritten,
        "machine": dict(machine),
    }


def total_counts(replay: Replay) -> CameraCounts:
    """The counts of all cameras together."""
    cameras = [asdict(counts) for counts in replay.counts.values()]
    names = ("submitted", "ok", "late", "dropped", "stale", "invalid", "failed", "pending")
    flags = {flag for counts in cameras for flag in counts["flagged"]}
    return CameraCounts(
        **{name: sum(counts[name] for counts in cameras) for name in names},
        flagged={flag: sum(counts["flagged"].get(flag, 0) for counts in cameras) for flag in sorted(flags)},
    )


def _stop_notes(replay: Replay) -> list[str]:
    if replay.signal_number is None:
        return []
    return [f"ended by {signal.Signals(replay.signal_number).name} after {replay.shown} frames"]


def _decoding_notes(replay: Replay) -> list[str]:
    pace = replay.pace
    if pace.behind_ns < 1e9 / replay.settings.rate_hz:  # less than one frame's time in all
        return []
    behind_s = pace.behind_ns / 1e9
    reached = replay.shown / (replay.shown / replay.settings.rate_hz + behind_s)
    return [
        f"decoding did not keep up: {pace.late_frames} of {replay.shown} frames were ready late, {behind_s:.2f} s in "
        f"all and at most {pace.most_behind_ns / 1e6:.0f} ms, so {reached:.1f} frames/s were shown and not "
        f"{replay.settings.rate_hz:g}; lower --rate, or give smaller pictures"
    ]


def _writing_notes(writer: ResultWriter) -> list[str]:
    if not writer.unwritten or writer.error is not None:  # of an error the command speaks itself
        return []
    return [
        f"writing did not keep up: the results of {writer.unwritten} answered frames were left out, {writer.written} "
        "were written; lower --rate, or leave out --overlay or --video"
    ]


def stream_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of a record made by `stream_record`."""
    model, source, settings, total = (record[key] for key in ("model", "source", "settings", "total"))
    each = f", on {settings['cameras']} cameras" if settings["cameras"] > 1 else ""
    rows = [
        ("file", f"{model['file']}, {model['width_px']}x{model['height_px']}, {model['precision']}"),
        ("provider", f"{record['provider']}, threads {record['threads'] or 'as ONNX Runtime chooses'}"),
        ("frames", f"{source['frames']} of {source['from']}, at {settings['rate_hz']:g} frames/s{each}"),
        ("answered", f"{record['frames_per_s']:.1f} frames/s over {record['wall_s']:.1f} s"),
    ]
    reasons: Mapping[str, str] = record["reasons"]
    for outcome in (each_outcome.value for each_outcome in Outcome):
        share = f" ({100 * total[outcome] / total['submitted']:.2f} %)" if total[outcome] else ""
        told = outcome in reasons and outcome != Outcome.DROPPED.value  # whose reason is always the same
        reason = f", the first: {reasons[outcome]}" if total[outcome] and told else ""
        rows.append((outcome, f"{total[outcome]}{share}{reason}"))
    rows += [(f"flag: {flag}", f"{count} frames") for flag, count in total["flagged"].items()]
    for name in ("age_ms", "latency_ms"):
        rows.append((name.removesuffix("_ms"), _times_line(record[name])))
    if source["unreadable"]:
        rows.append(("unreadable", f"{source['unreadable']} frames, the first: {source['unreadable_first'][0]}"))
    if record["written"]:
        rows.append(("written", f"{record['written']} frames"))
    return rows + [("note", note) for note in record["notes"]]


def _times_line(times: Mapping[str, Any]) -> str:
    if not times["frames"]:
        return "no frame was answered"
    shown = [f"p{each} {times[f'p{each}']:.2f} ms" for each in PERCENTS if times[f"p{each}"] is not None]
    withheld = [f"{name} needs {needed} frames" for name, needed in times["needs"].items()]
    return ", ".join([f"mean {times['mean']:.2f} ms", *shown, f"max {times['max']:.2f} ms", *withheld])
