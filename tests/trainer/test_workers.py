"""A loader worker that dies or hangs ends the run with its name and its sample, and leaves no process behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import trainer.loader
from runtime.errors import DataError
from trainer.data.dataset import Dataset, Frame, open_dataset
from trainer.loop import fit
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions

TIMEOUT_S = 2.0
CONFIG = TrainConfig(
    height_px=32, width_px=32, batch_size=2, epochs=50, precision="no", network=UNetConfig(width=2, depth=2)
)


def children() -> set[int]:
    """Processes of this one that are not yet gone."""
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture
def strike(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], None]:
    """Does something to the worker that reads a frame, in the third epoch."""
    honest = trainer.loader.read_augmented

    def plant(victim: str, deed: Callable[[], None]) -> None:
        def struck(source: Dataset, config: TrainConfig, key: tuple[int, int]) -> Frame:
            if key[0] == 3 and source.splits["train"][key[1]] == victim:
                deed()
            return honest(source, config, key)

        monkeypatch.setattr(trainer.loader, "read_augmented", struck)

    return plant


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts processes through /proc")
@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "it ended by SIGKILL"),
        (lambda: os._exit(3), "it ended with exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGSTOP), "nothing came for 2 s: it is stopped or hangs"),
        (lambda: time.sleep(600), "nothing came for 2 s: it is stopped or hangs"),
    ],
    ids=["killed", "ended", "stopped", "hung"],
)
def test_fit_bad_worker_ends_the_run_in_time_and_is_named(
    pairs: Path, tmp_path: Path, strike: Callable[..., None], deed: Callable[[], None], message: str
) -> None:
    source = open_dataset(pairs)
    victim, before = source.splits["train"][7], children()
    strike(victim, deed)
    started = time.monotonic()
    with pytest.raises(
        DataError, match=rf"^{victim}: .*loader worker [01] \(process \d+\), but {message} while"
    ) as caught:
        fit(CONFIG, source, tmp_path / "run", FitOptions(workers=2, panel_every=0, worker_timeout_s=TIMEOUT_S))
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < TIMEOUT_S + 15  # two epochs of training and the start of four workers included
    assert children() - before == set()


@pytest.mark.slow
@pytest.mark.timeout(900)
# PyTorch raises from a signal handler, wherever Python is: in the start of a thread, too, where it can't be caught
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_fit_worker_struck_from_outside_at_any_time_ends_the_run_20_times(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import random

    from trainer.display import TrainDisplay

    source, step = open_dataset(pairs), TrainDisplay.step
    for trial in range(20):
        before, count, struck_at = children(), 0, random.Random(trial).randint(1, 12)  # noqa: S311

        def struck(self: TrainDisplay, *arguments: object) -> None:
            nonlocal count
            count += 1
            step(self, *arguments)
            if count == struck_at:  # noqa: B023 (the run ends within this turn)
                workers = sorted(children() - before)  # noqa: B023
                os.kill(random.Random(trial).choice(workers[:2]), number)  # noqa: B023, S311

        monkeypatch.setattr(TrainDisplay, "step", struck)
        started = time.monotonic()
        options = FitOptions(workers=2, panel_every=0, worker_timeout_s=TIMEOUT_S)
        with pytest.raises(DataError, match=r"loader worker [01] \(process \d+\)"):
            fit(CONFIG, source, tmp_path / f"run{trial}", options)
        assert time.monotonic() - started < TIMEOUT_S + 15
        assert children() - before == set()
