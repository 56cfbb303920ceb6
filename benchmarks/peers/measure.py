"""`segtool bench --scenario peers`: one model file against other engines, in one run, round by round."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.catalogue import ENGINES, OURS, PEER_NAMES, require_known, why_left_out
from benchmarks.peers.files import make_files, require_plain_door
from benchmarks.peers.job import Job
from benchmarks.peers.process import EngineProcess
from benchmarks.peers.ratio import CONFIDENCE, RESAMPLES, paired_ratio
from benchmarks.peers.rounds import Contestant, interleave
from benchmarks.summary import latency_summary
from runtime.errors import DeviceError, UsageError
from runtime.model_file import ModelFile, load_model_file
from trainer.data.progress import progress, track

REST_S = 0.02
"""Between two turns: threads of OpenMP and ONNX Runtime go on looking for work for some milliseconds after the last, in
whatever process. On two cores with two threads, without it and the untimed frame of `child.timed_turn`, the first call
of a turn took 1.3 to 1.7 times as long as the median; with both it took no longer."""


@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """How the comparison is run.

    Attributes:
        names: of `catalogue.PEER_NAMES`.
        rounds: 2 or more; every engine has one turn in each.
        calls_per_round: frames of a turn, 1 or more.
        warmup: frames that each engine runs before the first round, 0 or more, beside the distinct ones.
        threads: CPU threads for one operator, the same for all.
        seed: of the order in each round, and of the bootstrap.
        provider: that segtool runs on; its peers compute on the same device.
    """

    names: tuple[str, ...] = PEER_NAMES
    rounds: int = 30
    calls_per_round: int = 10
    warmup: int = 20
    threads: int = 1
    seed: int = 0
    provider: str = "cpu"

    def __post_init__(self) -> None:
        require_known(self.names)
        if self.rounds < 2 or self.calls_per_round < 1 or self.warmup < 0 or self.threads < 1:
            raise UsageError(
                "peers: expected 2 rounds or more, 1 call or more in each, a warm-up of 0 or more and 1 thread or "
                f"more, got {self.rounds}, {self.calls_per_round}, {self.warmup} and {self.threads}; correct them"
            )


class OpenContestant(Contestant, Protocol):
    """What `EngineProcess` is, and what tests put in its place."""

    version: str
    note: str | None

    def labels(self) -> NDArray[np.uint8]:
        """Labels of the distinct frames, uint8 [F,H,W]."""

    def close(self) -> None:
        """Ends it."""


def measure_peers(
    file: Path,
    run: Path | None,
    frames: Sequence[NDArray[np.uint8]],
    settings: PeerSettings,
    *,
    open_engine: Callable[[Job], OpenContestant] = EngineProcess,
    rest: Callable[[], None] = lambda: time.sleep(REST_S),
) -> dict[str, Any]:
    """Measures a file and its peers in turn, each in a process of its own, from frame bytes to label bytes.

    Args:
        file: that is compared; from RGB of the network's size, one frame at a time.
        run: that it was exported from; None leaves out what needs the trained network.
        frames: the distinct ones, uint8 [H,W,3] each.
        settings: how.
        open_engine: starts one engine and has it label the frames.
        rest: called before each turn.

    Returns:
        The result for the record, without `file`: `ours_ms`, `peers` with ratios (peer over ours) and label agreement,
        `left_out` with reasons.

    Raises:
        CheckpointError: the run has no usable checkpoint, or is another than the file's.
        UsageError: no frame, or a file for a camera, for batches or with confidence.
        ModelFileError: not a sound file.
        DeviceError: segtool's own engine failed, or a peer in the midst of a round.
    """
    if not frames:
        raise UsageError(f"{file}: expected 1 frame or more to compare peers on, got none; give frames")
    checked = load_model_file(file)
    require_plain_door(checked, file)
    left_out: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="segtool-peers-") as name, ExitStack() as opened:
        folder = Path(name)
        job = _job(file, run, checked, folder, settings)
        np.save(job.frames, np.stack(frames))
        contestants = {}
        for engine in track((OURS, *settings.names), "opening peers"):
            found = _open(replace(job, name=engine, labels=folder / f"{engine}.npy"), checked, open_engine)
            if isinstance(found, str):
                left_out.append({"name": ENGINES[engine].title, "why": found})
                continue
            opened.callback(found.close)
            contestants[engine] = found
        for contestant in contestants.values():
            contestant.turn(settings.warmup)
        times_ms = interleave(
            contestants,
            calls=settings.calls_per_round,
            seed=settings.seed,
            rounds=_shown(settings.rounds),
            rest=rest,
        )
        result = _result(contestants, times_ms, settings)
    return {**result, "left_out": left_out}


def _shown(rounds: int) -> Iterator[int]:
    """Counts rounds on a bar that has no thread of its own, and is drawn while no engine has its turn."""
    with progress("measuring peers", rounds) as advance:
        for index in range(rounds):
            yield index
            advance(1)


def peers_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows, name and value, of what `measure_peers` gave; a ratio over 1 is a slower peer."""
    rows = [("segtool", f"{_middle(result['ours_ms']):.2f} ms")]
    for peer in result["peers"]:
        ratio = peer["ratio"]
        rows.append(
            (
                f"{peer['name']} ({peer['version']})",
                f"{_middle(peer['latency_ms']):.2f} ms, {ratio['median']:.2f} times segtool's "
                f"({ratio['low']:.2f} to {ratio['high']:.2f}), {100 * peer['label_agreement']:.2f} % of labels equal"
                + (f"; {peer['note']}" if peer["note"] else ""),
            )
        )
    rows += [(f"{each['name']}, left out", each["why"]) for each in result["left_out"]]
    return rows


def _middle(summary: Mapping[str, Any]) -> float:
    """The median, or the mean where there were too few frames for a median."""
    return float(summary["percentiles"].get("p50", summary["mean"]))


def _job(file: Path, run: Path | None, checked: ModelFile, folder: Path, settings: PeerSettings) -> Job:
    """What all engines are given, before it has a name."""
    files = make_files(checked, file, run, folder)
    return Job(
        name="",
        file=file.resolve(),
        float_file=files.float_file and files.float_file.resolve(),
        network_file=files.network_file,
        run=run and run.resolve(),
        mean=checked.spec.mean,
        std=checked.spec.std,
        provider=settings.provider,
        threads=settings.threads,
        frames=folder / "frames.npy",
        labels=folder / "labels.npy",
    )


def _open(job: Job, checked: ModelFile, open_engine: Callable[[Job], OpenContestant]) -> OpenContestant | str:
    """The engine, open; or why it is left out, which segtool's own never is."""
    why = why_left_out(ENGINES[job.name], job, checked.spec.precision)
    if why is not None:
        return why
    try:
        return open_engine(job)
    except DeviceError as error:
        if job.name == OURS:
            raise
        return str(error)


def _result(
    contestants: Mapping[str, OpenContestant], times_ms: Mapping[str, NDArray[np.float64]], settings: PeerSettings
) -> dict[str, Any]:
    ours_nhw = contestants[OURS].labels()
    peers = [
        {
            "name": ENGINES[name].title,
            "version": contestant.version,
            "threads": settings.threads,
            "latency_ms": latency_summary(times_ms[name].ravel()),
            "ratio": asdict(paired_ratio(times_ms[name], times_ms[OURS], seed=settings.seed)),
            "label_agreement": float(np.mean(contestant.labels() == ours_nhw)),
            "note": contestant.note,
        }
        for name, contestant in contestants.items()
        if name != OURS
    ]
    return {
        "rounds": settings.rounds,
        "calls_per_round": settings.calls_per_round,
        "interval": {
            "method": "percentile bootstrap over rounds, paired",
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "seed": settings.seed,
        },
        "ours_ms": latency_summary(times_ms[OURS].ravel()),
        "peers": peers,
    }
