"""Data sets and runs small enough to train in a test; drawn here, so that no test needs a download."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

# networks this small run faster on one thread, and two test runs side by side don't wait for each other's threads
os.environ.setdefault("OMP_NUM_THREADS", "1")

SIZE_PX = 64
# road, building, traffic sign, vegetation, sky, person, car: one Cityscapes colour for each of the seven categories
COLOURS = [
    (128, 64, 128),
    (70, 70, 70),
    (220, 220, 0),
    (107, 142, 35),
    (70, 130, 180),
    (220, 20, 60),
    (0, 0, 142),
]


def draw_pair(seed: int) -> NDArray[np.uint8]:
    """A pair as in the Cityscapes pairs: noisy photo left, colour mask right; bands and blocks of all seven classes."""
    random = np.random.default_rng(seed)
    classes = np.zeros((SIZE_PX, SIZE_PX), int)
    classes[:20] = 4
    classes[20:40, :32] = 1
    classes[20:40, 32:] = 3
    for label in (2, 5, 6):
        top, left = random.integers(16, 44, 2)
        classes[top : top + 14, left : left + 14] = label
    mask = np.array(COLOURS, np.uint8)[classes]
    photo = 0.5 * mask + 60 + random.normal(0, 10, mask.shape)
    return np.concatenate([np.clip(photo, 0, 255).astype(np.uint8), mask], axis=1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded frames go into a folder of this test run, not into the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the pairs layout: 12 training and 4 validation pairs of 64x64."""
    folder = tmp_path_factory.mktemp("pairs")
    for split, seeds in (("train", range(12)), ("val", range(100, 104))):
        (folder / split).mkdir()
        for number, seed in enumerate(seeds, start=1):
            Image.fromarray(draw_pair(seed)).save(folder / split / f"{number}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def trained_run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small U-Net on `pairs`, trained far enough to be right on most pixels."""
    from trainer.data.dataset import open_dataset
    from trainer.learning.optimise import OptimiserConfig
    from trainer.loop import fit
    from trainer.networks.unet import UNetConfig
    from trainer.settings.config import TrainConfig

    run = tmp_path_factory.mktemp("runs") / "small"
    config = TrainConfig(
        height_px=SIZE_PX,
        width_px=SIZE_PX,
        epochs=16,
        batch_size=4,
        optimiser=OptimiserConfig(learning_rate=1e-2),
        precision="no",
        network=UNetConfig(width=8, depth=2),
    )
    fit(config, open_dataset(pairs), run)
    history = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    if not max(entry["mean_iou"] for entry in history) > 0.5:
        pytest.fail(f"the small run did not learn: {history[-1]}")
    return run
