import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.data.dataset import open_dataset
from trainer.data.likeness import nearest_copies, thumbnail
from trainer.data.synthetic import render_scene


def copied(photo: np.ndarray, quality: int, factor: float) -> np.ndarray:
    """The photo at another size, and through JPEG."""
    size = (round(photo.shape[1] * factor), round(photo.shape[0] * factor))
    stream = io.BytesIO()
    Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(stream.getvalue())))


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    return [render_scene(3, index, 64)[0] for index in range(40)]


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_nearest_copies_encoded_again_or_resized_are_all_found(
    scenes: list[np.ndarray], quality: int, factor: float
) -> None:
    copies = [thumbnail(copied(scene, quality, factor)) for scene in scenes[10:]]
    found = nearest_copies(np.stack(copies), np.stack([thumbnail(scene) for scene in scenes]))
    assert found == [(row, row + 10) for row in range(30)]


def test_nearest_copies_different_scenes_are_none(scenes: list[np.ndarray]) -> None:
    thumbnails = np.stack([thumbnail(scene) for scene in scenes])
    assert nearest_copies(thumbnails[:20], thumbnails[20:]) == []


def test_nearest_copies_flat_photos_are_not_compared() -> None:
    flat = np.stack([thumbnail(np.full((24, 30, 3), grey, np.uint8)) for grey in (10, 11)])
    assert nearest_copies(flat, flat) == []


def test_nearest_copies_equal_the_definition_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.likeness._BLOCK", 7)
    rng = np.random.default_rng(0)
    earlier = rng.integers(0, 256, (30, 256), dtype=np.uint8)
    later = np.concatenate([earlier[[29, 3, 8]], rng.integers(0, 256, (20, 256), dtype=np.uint8)])
    cosines = np.corrcoef(later, earlier)[: len(later), len(later) :]  # numpy's own correlation, all at once
    expected = [(row, int(cosines[row].argmax())) for row in range(len(later)) if cosines[row].max() > 0.98]
    assert nearest_copies(later, earlier) == expected == [(0, 29), (1, 3), (2, 8)]


def test_nearest_copies_of_real_photos_are_found_and_others_are_not(real_pairs: Path) -> None:
    dataset = open_dataset(real_pairs)
    train, val = (
        [dataset.pictures(name, dataset.frame_bytes(name))[0] for name in dataset.splits[split][::step]]
        for split, step in (("train", 10), ("val", 4))
    )
    earlier = np.stack([thumbnail(photo) for photo in train])
    assert nearest_copies(np.stack([thumbnail(photo) for photo in val]), earlier) == []
    for quality, factor in ((50, 0.5), (75, 2.0), (95, 0.75), (60, 1.0)):
        copies = [thumbnail(copied(photo, quality, factor)) for photo in train[::3]]
        assert nearest_copies(np.stack(copies), earlier) == [(row, 3 * row) for row in range(len(copies))]
