"""A bench from its order to its record: frames made, one scenario run over the files, the machine's state around it."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from benchmarks.accuracy import accuracy_record, evaluate_file
from benchmarks.latency import Segments
from benchmarks.machine import machine_record
from benchmarks.machine_state import machine_state, throttle_notes
from benchmarks.order import Frames, Order, Settings, different_frames, make_frames, opened, told_frames
from benchmarks.peers.measure import PeerSettings, measure_peers
from benchmarks.record import bench_record, file_record
from benchmarks.scenarios.camera import CameraSettings, measure_camera
from benchmarks.scenarios.cold_start import ColdStartSettings, cold_start_notes, measure_cold_start
from benchmarks.scenarios.growth import growth_of
from benchmarks.scenarios.offline import OfflineSettings, measure_offline
from benchmarks.scenarios.single_stream import SingleStreamSettings, measure_single_stream
from benchmarks.scenarios.sized_files import sized_files
from benchmarks.scenarios.soak import SoakSettings, measure_soak
from benchmarks.scenarios.stages import StagesSettings, measure_stages
from benchmarks.scenarios.sweep import SweepPoint, SweepSettings, measure_sweep
from runtime.errors import UsageError
from runtime.model_file import load_model_file
from runtime.segmenter import Segmenter
from trainer.data.dataset import open_dataset
from trainer.data.progress import progress

if TYPE_CHECKING:
    from export.settings import Precision

Result = dict[str, Any]
S = TypeVar("S", bound=Settings)


def run_bench(order: Order) -> dict[str, Any]:
    """Measures what was ordered.

    Returns:
        The record, without gates.

    Raises:
        UsageError: no such scenario, or settings that do not fit the file.
        ModelFileError, ProviderUnavailable, DeviceError, FrameError, DataError: as the Segmenter and the data set do.
    """
    machine = machine_record()  # first: the load average must not be this command's own
    _require_frames(order)
    with _all_files(order) as files:
        before = machine_state()
        results = SCENARIOS[order.scenario](order, files)
        after = machine_state()
        records = [_file(order, path, proven=path in order.files) for path in files]
    frames_from, distinct = told_frames(order, load_model_file(order.files[0]).spec)
    notes = throttle_notes(before, after)
    if order.scenario == "cold-start":
        notes += [note for result in results for note in cold_start_notes(result)]
    return bench_record(
        scenario=order.scenario,
        files=records,
        frames={"from": frames_from, "distinct": distinct},
        results=results,
        machine=machine,
        before=before,
        after=after,
        notes=notes,
        growth=growth_of(results) if order.scenario == "sweep" else (),
    )


def _require_frames(order: Order) -> None:
    """Looks for the data set before anything is measured: an hour must not end with a wrong path."""
    if order.data is not None:
        spec = load_model_file(order.files[0]).spec
        open_dataset(order.data, spec.label_space).frames(order.split)


@contextmanager
def _all_files(order: Order) -> Iterator[tuple[Path, ...]]:
    """The files as given, and for the block those of a sweep's sizes, in the first one's precision."""
    if not order.sizes:
        if order.scenario == "sweep" and order.run is not None:
            raise UsageError(f"sweep: --sizes was expected beside --run {order.run}, got none; give them")
        yield order.files
        return
    if order.run is None:
        raise UsageError("sweep: --sizes makes files from a training folder, got no --run; give it")
    precision = load_model_file(order.files[0]).spec.precision
    with tempfile.TemporaryDirectory(prefix="segtool-sweep-") as folder:
        with progress("exporting", len(order.sizes)) as advance:
            made = sized_files(order.run, order.sizes, cast("Precision", precision), Path(folder), advance)
        yield (*order.files, *made)


def _file(order: Order, path: Path, *, proven: bool) -> dict[str, Any]:
    """The record of one file; its accuracy where there is a data set, and the file is one to be right."""
    with opened(order, path) as segmenter:
        accuracy = None
        if order.data is not None and proven:
            dataset = open_dataset(order.data, segmenter.spec.label_space)
            tally = evaluate_file(segmenter, dataset, order.split)
            accuracy = accuracy_record(tally, segmenter.spec.classes, order.data.name, order.split)
        return file_record(segmenter, path, accuracy)


Measure = Callable[[Order, Segmenter, Path, Frames, Callable[[int], None]], Result]


def _one_by_one(measure: Measure, steps: Callable[[Any], int]) -> Callable[[Order, Sequence[Path]], list[Result]]:
    """A scenario that opens each file, measures it, and closes it before the next."""

    def run(order: Order, files: Sequence[Path]) -> list[Result]:
        results = []
        for index, path in enumerate(files):
            with opened(order, path) as segmenter:
                frames = make_frames(order, segmenter.spec, different_frames(order.settings))
                quiet = order.scenario in ("camera", "soak")  # a drawing makes a frame late, and takes memory
                with progress(
                    f"{order.scenario} {path.name}", steps(order.settings), 60.0 if quiet else 1.0
                ) as advance:
                    results.append({"file": index, **measure(order, segmenter, path, frames, advance)})
        return results

    return run


def _offline(order: Order, files: Sequence[Path]) -> list[Result]:
    settings = _of(OfflineSettings, order)
    with ExitStack() as stack:
        segmenters = [stack.enter_context(opened(order, path)) for path in files]
        frames = [make_frames(order, segmenter.spec, settings.frames) for segmenter in segmenters]
        with progress("offline", settings.frames * len(files)) as advance:
            segments: Sequence[Segments] = segmenters
            return measure_offline(segments, frames, settings, advance)


def _cold_start(order: Order, files: Sequence[Path]) -> list[Result]:
    settings = _of(ColdStartSettings, order)
    with progress("cold starts", (settings.repeats + 1) * len(files)) as advance:
        return [{"file": index, **measure_cold_start(path, settings, advance)} for index, path in enumerate(files)]


def _sweep(order: Order, files: Sequence[Path]) -> list[Result]:
    settings = _of(SweepSettings, order)
    points = [
        SweepPoint(file=index, path=path, threads=threads, provider=provider)
        for index, path in enumerate(files)
        for provider in order.providers
        for threads in order.threads
    ]
    with progress("sweep", len(points) * settings.rounds) as advance:
        return measure_sweep(points, settings, advance)


def _peers(order: Order, files: Sequence[Path]) -> list[Result]:
    settings = _of(PeerSettings, order)
    results = []
    for index, path in enumerate(files):
        with opened(order, path) as segmenter:
            frames = make_frames(order, segmenter.spec, different_frames(settings))
            here = replace(settings, provider=segmenter.provider)  # "auto" says nothing of where peers are to compute
        results.append({"file": index, **measure_peers(path, order.run, frames, here)})
    return results


def _of(kind: type[S], order: Order) -> S:
    if not isinstance(order.settings, kind):
        raise UsageError(
            f"{order.scenario}: {kind.__name__} were expected, got {type(order.settings).__name__}; give the scenario's"
        )
    return order.settings


SCENARIOS: Mapping[str, Callable[[Order, Sequence[Path]], list[Result]]] = {
    "single-stream": _one_by_one(
        lambda order, segmenter, _, frames, advance: measure_single_stream(
            segmenter, frames, _of(SingleStreamSettings, order), advance
        ),
        lambda settings: settings.frames,
    ),
    "camera": _one_by_one(
        lambda order, segmenter, _, frames, advance: measure_camera(
            segmenter, frames, _of(CameraSettings, order), advance
        ),
        lambda settings: settings.steps,
    ),
    "soak": _one_by_one(
        lambda order, segmenter, _, frames, advance: measure_soak(segmenter, frames, _of(SoakSettings, order), advance),
        lambda settings: settings.frames,
    ),
    "stages": _one_by_one(
        lambda order, segmenter, path, frames, advance: measure_stages(
            segmenter, path, frames, _of(StagesSettings, order), advance
        ),
        lambda settings: settings.frames,
    ),
    "offline": _offline,
    "cold-start": _cold_start,
    "sweep": _sweep,
    "peers": _peers,
}
