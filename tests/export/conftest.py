"""The small trained run as `export.build` takes it, and one finished build of it."""

from pathlib import Path

import pytest

from export.build import Built, Sources, build
from export.proof.frames import choose_frames
from export.proof.gates import GATES
from export.settings import ExportSettings
from trainer.evaluate import TrainedNetwork, load_trained


@pytest.fixture(scope="session")
def small(trained_run: Path) -> TrainedNetwork:
    return load_trained(trained_run / "best.safetensors")


@pytest.fixture(scope="session")
def small_sources(small: TrainedNetwork, pairs: Path) -> Sources:
    return Sources(proof=choose_frames(small, pairs, 4), training=choose_frames(small, pairs, 12, "train"), golden=None)


@pytest.fixture(scope="session")
def built(small: TrainedNetwork, small_sources: Sources) -> Built:
    return build(small, "small", ExportSettings(), small_sources, gates=GATES["fp32"], provider="cpu")
