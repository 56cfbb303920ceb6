"""What is to be measured: files, scenario, frames; and how those files are opened and those frames are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.latency import distinct_frames, noise_frames, real_frames
from benchmarks.peers.measure import PeerSettings
from benchmarks.scenarios.camera import CameraSettings
from benchmarks.scenarios.cold_start import ColdStartSettings
from benchmarks.scenarios.offline import OfflineSettings
from benchmarks.scenarios.single_stream import SingleStreamSettings
from benchmarks.scenarios.soak import SoakSettings
from benchmarks.scenarios.stages import StagesSettings
from benchmarks.scenarios.sweep import DISTINCT_FRAMES, SweepSettings
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec
from trainer.data.dataset import open_dataset

Settings = (
    SingleStreamSettings
    | CameraSettings
    | OfflineSettings
    | ColdStartSettings
    | SoakSettings
    | SweepSettings
    | StagesSettings
    | PeerSettings
)
Frames = list[npt.NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be measured.

    Attributes:
        scenario: a key of `suite.SCENARIOS`.
        settings: of that scenario.
        files: model files; a result names one by its place.
        providers: as for Segmenter; a sweep measures on each, all others on the only one.
        threads: of the CPU provider; a sweep measures each number, all others the only one.
        data: a data set for frames and accuracy; None for noise, and no accuracy.
        split: of the data set.
        seed: of the noise, or of the choice of frames.
        run: of a sweep, the training folder that `sizes` are exported from; of peers, where the files come from.
        engine: its other options; the number of threads is `threads`.
        sizes: of a sweep: height and width, pixels, of files that are made for it alone.
    """

    scenario: str
    settings: Settings
    files: tuple[Path, ...]
    providers: tuple[str, ...] = ("auto",)
    threads: tuple[int, ...]
    data: Path | None = None
    split: str = "val"
    seed: int = 0
    run: Path | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    engine: EngineOptions = EngineOptions()  # noqa: RUF009  # frozen

    @property
    def provider(self) -> str:
        """The only one, or the first of a sweep."""
        return self.providers[0]

    @property
    def options(self) -> EngineOptions:
        """Of the engine."""
        return replace(self.engine, threads=self.threads[0])


@contextmanager
def opened(order: Order, path: Path) -> Iterator[Segmenter]:
    """Opens a file as it is measured: its very first frame is the scenario's own, no warm-up or self-test before it."""
    with Segmenter(path, order.provider, options=order.options, warmup_frames=0, self_test=False) as segmenter:
        yield segmenter


def make_frames(order: Order, spec: ModelSpec, count: int) -> Frames:
    """Returns arrays as `segment` takes them: of the data set where there is one, else noise."""
    if order.data is None:
        return noise_frames(spec, count, order.seed)
    return real_frames(open_dataset(order.data, spec.label_space), order.split, spec, count, order.seed)


def told_frames(order: Order, spec: ModelSpec) -> tuple[str, int]:
    """Says in words where the frames came from, and how many different ones there were."""
    if order.scenario == "cold-start":  # its processes make their own, and so do a sweep's
        return "one level of grey", 1
    if order.scenario == "sweep":
        return "uniform noise, seed 0", DISTINCT_FRAMES
    told, available = f"uniform noise, seed {order.seed}", None
    if order.data is not None:
        told = f"{order.data.name}, {order.split}, seed {order.seed}"
        available = len(open_dataset(order.data, spec.label_space).frames(order.split))
    return told, distinct_frames(spec, different_frames(order.settings), available)


def different_frames(settings: Settings) -> int:
    """Frames that a scenario may want different ones for; `latency` bounds how many are made."""
    if isinstance(settings, PeerSettings):
        return settings.rounds * settings.calls_per_round
    return 1 if isinstance(settings, ColdStartSettings) else settings.frames
