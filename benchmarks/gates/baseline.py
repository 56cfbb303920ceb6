"""A baseline on disk: a record, and beside it a copy of each model file, so that old and new can be run in turns."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gates.comparable import require_comparable
from benchmarks.gates.interleaved import interleaved_slowdown
from benchmarks.gates.records import read_record, recorded_samples
from benchmarks.gates.slowdown import Slowdown, stored_slowdown
from benchmarks.order import Order, different_frames, make_frames
from benchmarks.scenarios.load import Load, busy
from benchmarks.scenarios.single_stream import SingleStreamSettings
from runtime.errors import StorageError, UsageError
from runtime.model_file import load_model_file
from runtime.segmenter import Segmenter
from trainer.data.progress import progress
from trainer.json_file import write_json


@dataclass(frozen=True, kw_only=True)
class Against:
    """How the measured files stand against a baseline.

    Attributes:
        slowdowns: of each file, in the order of the record.
        notes: what differs and was let pass, and where a comparison proves less than it might.
    """

    slowdowns: tuple[Slowdown, ...]
    notes: tuple[str, ...]


def save_baseline(path: Path, record: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Writes a record, and beside it a copy of each model file.

    Args:
        path: of the record; the copies get its name and theirs.
        record: of single-stream or camera, which keep each latency.
        files: the measured ones, in the order of the record.

    Raises:
        UsageError: a scenario that keeps no latency of each frame.
        StorageError: there is no room, or no permission.
    """
    recorded_samples(record, str(path))
    write_json(path, dict(record))
    for file, facts in zip(files, record["files"], strict=True):
        if file.resolve() == _copy_of(path, facts).resolve():
            continue
        try:
            shutil.copyfile(file, _copy_of(path, facts))
        except OSError as error:
            raise StorageError(
                f"{_copy_of(path, facts)}: a copy of {file} was to be written for the baseline, got "
                f"{error.strerror or error}; free space, or give another folder"
            ) from error


def require_baseline(path: Path, files: Sequence[Path]) -> dict[str, Any] | None:
    """Looks at a baseline before anything is measured.

    Args:
        path: of a record that `save_baseline` wrote, or of the old model file itself.
        files: that will be measured.

    Returns:
        The record; None for an old model file.

    Raises:
        DataError: no such baseline, or none that can be read.
        ModelFileError: the old file is not sound.
        UsageError: another number of files.
    """
    if path.suffix == ".onnx":
        load_model_file(path)
        if len(files) != 1:
            raise UsageError(f"{path}: one new file was expected beside an old one, got {len(files)}; give one")
        return None
    baseline = read_record(path)
    old_count = len(baseline["files"])
    if old_count != len(files):
        raise UsageError(f"{path}: {old_count} files were expected as in the baseline, got {len(files)}; give those")
    return baseline


def against_baseline(
    path: Path, order: Order, record: Mapping[str, Any], max_slowdown: float, *, allow_different: bool
) -> Against:
    """Compares what was measured with a baseline: in turns where its model files are at hand, else as stored.

    Args:
        path: of a record that `save_baseline` wrote, or of the old model file itself.
        order: what was measured.
        record: of that.
        max_slowdown: the limit, a share; measuring in turns goes on until it is proven either way.
        allow_different: whether differences of machine and settings are let pass.

    Raises:
        DataError: no such baseline, or none that can be read.
        UsageError: it measured something else, or on another machine.
        ModelFileError, DeviceError: as the Segmenter does.
    """
    baseline = require_baseline(path, order.files)
    if baseline is None:
        return Against(slowdowns=(_in_turns(path, order.files[0], order, max_slowdown),), notes=())
    notes = require_comparable(baseline, record, path, allow_different=allow_different)
    copies = [_copy_of(path, facts) for facts in baseline["files"]]
    if order.scenario == "single-stream" and not notes and all(copy.exists() for copy in copies):
        pairs = zip(copies, baseline["files"], order.files, strict=True)
        in_turns = tuple(
            _in_turns(copy, new, order, max_slowdown, sha256=facts["sha256"]) for copy, facts, new in pairs
        )
        return Against(slowdowns=in_turns, notes=())
    series = zip(recorded_samples(baseline, str(path)), recorded_samples(record, "this run"), strict=True)
    stored = tuple(stored_slowdown(old_ms, new_ms, seed=order.seed) for old_ms, new_ms in series)
    apart = "compared with stored times, two runs apart: in turns with the old file proves more"
    return Against(slowdowns=stored, notes=(*notes, apart))


def _copy_of(path: Path, facts: Mapping[str, Any]) -> Path:
    """A file's copy beside its baseline; part of its hash in the name, for two files may have one name."""
    return path.with_name(f"{path.stem}.{facts['sha256'][:12]}.onnx")


def _in_turns(old: Path, new: Path, order: Order, max_slowdown: float, sha256: str | None = None) -> Slowdown:
    load = order.settings.load if isinstance(order.settings, SingleStreamSettings) else Load()
    with (
        Segmenter(old, order.provider, options=order.options, sha256=sha256) as before,
        Segmenter(new, order.provider, options=order.options) as after,
        busy(load),
    ):
        if before.provider != after.provider:
            raise UsageError(
                f"{new}: provider {before.provider} was expected, which runs {old}, got {after.provider}; name one by "
                "--provider"
            )
        frames = make_frames(order, after.spec, different_frames(order.settings))
        with progress(f"in turns with {old.name}", 1.0) as advance:
            shown = 0.0

            def show(done: int, most: int) -> None:
                nonlocal shown
                advance(done / most - shown)
                shown = done / most

            return interleaved_slowdown(before, after, frames, max_slowdown, seed=order.seed, progress=show)
