from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.data.augment import Augmentation
from trainer.data.dataset import open_dataset
from trainer.loader import EpochSampler, batches, plain_loader, train_loader
from trainer.networks.unet import UNetConfig
from trainer.settings.config import TrainConfig


def config(**changes: object) -> TrainConfig:
    return TrainConfig(
        **{"height_px": 32, "width_px": 32, "batch_size": 4, "network": UNetConfig(width=4, depth=2), **changes}
    )


def flat_batches(pairs: Path, workers: int, epoch: int, skip: int = 0) -> list[torch.Tensor]:
    always = Augmentation(crop=1)
    loader, sampler = train_loader(open_dataset(pairs), config(augmentation=always), workers)
    sampler.epoch, sampler.skip = epoch, skip
    return [torch.cat([image.flatten(1), truth.flatten(1)], 1) for image, truth in batches(loader)]


def test_epoch_sampler_one_epoch_is_a_permutation_and_epochs_differ() -> None:
    first, second = EpochSampler(count=50, seed=3), EpochSampler(count=50, seed=3, epoch=2)
    assert sorted(index for _, index in first) == list(range(50))
    assert [index for _, index in first] != [index for _, index in second]
    assert list(first) == list(EpochSampler(count=50, seed=3))
    assert list(first) != list(EpochSampler(count=50, seed=4))


def test_epoch_sampler_skip_gives_the_rest_of_the_same_order() -> None:
    whole, rest = EpochSampler(count=20, seed=0), EpochSampler(count=20, seed=0, skip=7)
    assert list(whole)[7:] == list(rest)
    assert len(rest) == 13


def test_train_loader_any_number_of_workers_gives_the_same_batches(pairs: Path) -> None:
    alone, two = flat_batches(pairs, 0, epoch=3), flat_batches(pairs, 2, epoch=3)
    assert len(alone) == len(two) == 3
    assert all(torch.equal(a, b) for a, b in zip(alone, two, strict=True))


def test_train_loader_next_epoch_is_augmented_anew(pairs: Path) -> None:
    first, second = torch.cat(flat_batches(pairs, 0, epoch=1)), torch.cat(flat_batches(pairs, 0, epoch=2))
    assert not any(torch.equal(row, other) for row in first for other in second)


def test_train_loader_skip_after_a_batch_gives_the_remaining_batches(pairs: Path) -> None:
    whole, rest = flat_batches(pairs, 0, epoch=1), flat_batches(pairs, 0, epoch=1, skip=4)
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


def test_train_loader_limit_trains_on_the_first_images_only(pairs: Path) -> None:
    _, sampler = train_loader(open_dataset(pairs), config(limit=5), 0)
    assert sorted(index for _, index in sampler) == [0, 1, 2, 3, 4]


def test_plain_loader_shares_cover_each_frame_once(pairs: Path) -> None:
    source = open_dataset(pairs)
    whole = torch.cat([image for image, _ in batches(plain_loader(source, "val", 32, 32))])
    parts = [
        torch.cat([image for image, _ in batches(plain_loader(source, "val", 32, 32, share=(i, 3)))]) for i in range(3)
    ]
    assert sum(len(part) for part in parts) == len(whole) == 4
    assert {row.numpy().tobytes() for part in parts for row in part} == {row.numpy().tobytes() for row in whole}


def test_plain_loader_frames_are_not_augmented(pairs: Path) -> None:
    frame = open_dataset(pairs).read("val", 0)
    image, truth = next(iter(plain_loader(open_dataset(pairs), "val", 64, 64, batch_size=1)))
    assert np.array_equal(image[0].numpy(), frame.image_hwc)
    assert np.array_equal(truth[0].numpy(), frame.labels_hw)


@pytest.mark.parametrize("workers", [0, 1])
def test_train_loader_bad_frame_names_the_file(pairs: Path, tmp_path: Path, workers: int) -> None:
    import shutil

    copy = shutil.copytree(pairs, tmp_path / "copy")
    (copy / "train" / "5.jpg").write_bytes((copy / "train" / "5.jpg").read_bytes()[:900])
    loader, _ = train_loader(open_dataset(copy), config(), workers)
    with pytest.raises(ValueError, match=r"^[^\n]*5\.jpg[^\n]*$"):
        list(batches(loader))
