"""One replay from file to verdict: opens the model, plays, and says how the command is to end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_record
from runtime.errors import DataError, DeviceError, GateError, UsageError
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter
from runtime.stream import Outcome
from segtool.replay.player import Replay, ReplaySettings, play
from segtool.replay.record import stream_record, total_counts
from segtool.replay.recording import Recording
from segtool.replay.sinks import Wanted, open_sinks
from segtool.replay.writer import ResultWriter


@dataclass(frozen=True, kw_only=True, eq=False)
class Finished:
    """A replay that ended, in whatever way; `record` is its JSON object."""

    replay: Replay
    writer: ResultWriter
    record: dict[str, Any]


def replay_file(
    path: Path,
    provider: str,
    options: EngineOptions,
    recording: Recording,
    settings: ReplaySettings,
    wanted: Wanted,
) -> Finished:
    """Plays a recording through a model file and writes what was asked for.

    Args:
        path: the model file.
        provider: that runs it, as for Segmenter.
        options: of the engine.
        recording: what is shown.
        settings: how.
        wanted: what is written of the first camera.

    Raises:
        UsageError: what was asked for makes no sense together.
        ModelFileError, DeviceError: as Segmenter.
        DataError: not a single frame came.
        StorageError, MissingPackage: as `open_sinks`.
    """
    _require_sense(recording, settings, wanted)
    machine = machine_record()  # first: the load average must not be this command's own
    with Segmenter(path, provider, options=options) as segmenter:
        writer = ResultWriter(open_sinks(wanted, recording, segmenter.spec.palette, settings.rate_hz))
        try:
            replay = play(segmenter, recording, settings, writer)
        finally:
            writer.close()
        record = stream_record(segmenter, path, recording, replay, writer, machine)
    return Finished(replay=replay, writer=writer, record=record)


def _require_sense(recording: Recording, settings: ReplaySettings, wanted: Wanted) -> None:
    if settings.loop and recording.live:
        raise UsageError(f"--loop was given with {recording.told}, which has no end; leave it out")
    if settings.loop and wanted.out is not None:
        raise UsageError("--loop was given with --out, and would write each file again and again; leave one out")


def end_as_it_went(finished: Finished, max_misses: float | None = None) -> None:
    """Returns where all is well, and else raises what ends the command, the most urgent reason first.

    Args:
        finished: told and written already.
        max_misses: 0 to 1: a larger share of frames that are not ok is a gate's no; None asks for no gate.

    Raises:
        StorageError: a result could not be written.
        SystemExit: a signal ended it; 128 and its number.
        DeviceError: the engine hung or was lost at the end, or frames failed and none was answered.
        DataError: frames could not be read.
        GateError: too many frames had no answer in time.
    """
    replay, total = finished.replay, total_counts(finished.replay)
    if finished.writer.error is not None:
        raise finished.writer.error
    if replay.signal_number is not None:
        raise SystemExit(128 + replay.signal_number)
    if replay.health is not None and replay.health.stuck:
        raise DeviceError(f"expected a stream that takes frames to the end, but {replay.health.stuck}")
    if total.failed and not total.ok + total.late:
        reason = replay.tally.reasons[Outcome.FAILED]
        raise DeviceError(f"expected answers, got none for {total.submitted} frames: {reason}")
    if replay.unreadable:
        raise DataError(f"{len(replay.unreadable)} of {replay.shown} frames could not be read: {replay.unreadable[0]}")
    missed = total.submitted - total.ok
    if max_misses is not None and missed > max_misses * total.submitted:
        raise GateError(
            f"expected at most {100 * max_misses:g} % of the frames without an answer in time, got {missed} of "
            f"{total.submitted} ({100 * missed / total.submitted:.2f} %); give a smaller model or a lower --rate"
        )
