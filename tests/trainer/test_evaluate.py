from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import DataError
from trainer.checkpoint import MODEL, Checkpoint, save_checkpoint
from trainer.data.augment import fit
from trainer.data.dataset import open_dataset
from trainer.evaluate import evaluate_run, evaluate_views, frame_labels, load_trained, open_run, require_classes
from trainer.networks.unet import UNet, UNetConfig
from trainer.settings.config import TrainConfig
from trainer.state import describe_classes
from trainer.views import Views


@pytest.fixture
def untrained(pairs: Path, tmp_path: Path) -> Path:
    """A run of a small U-Net that was never trained, with a head loud enough that it does not always say the same."""
    torch.manual_seed(0)
    config = TrainConfig(height_px=64, width_px=64, network=UNetConfig(width=4, depth=2))
    source = open_dataset(pairs, "categories")
    network = UNet(config.network, len(source.label_space.classes))
    torch.nn.init.normal_(network.head.weight, std=5.0)
    torch.nn.init.zeros_(network.head.bias)
    tensors = {MODEL + name: tensor for name, tensor in network.state_dict().items()}
    record = {"config": config.to_dict(), "label_space": describe_classes(source)}
    save_checkpoint(tmp_path / "best.safetensors", Checkpoint(tensors=tensors, record=record))
    return tmp_path


def test_evaluate_run_on_data_whose_classes_mean_something_else_is_refused(
    untrained: Path, camvid_folder: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with two folders that both call their label space "own"."""
    trained = load_trained(untrained / "best.safetensors")
    require_classes(open_dataset(pairs), trained)
    with pytest.raises(DataError, match=r"expected the run's classes flat, .* got Sky, Building"):
        require_classes(open_dataset(camvid_folder), trained)
    monkeypatch.setattr("trainer.evaluate.open_dataset", lambda *_: open_dataset(camvid_folder))
    with pytest.raises(DataError, match=r"expected the run's classes flat"):
        open_run(untrained, pairs)


def test_evaluate_views_one_view_scores_as_the_network_does(untrained: Path, pairs: Path) -> None:
    trained, source = open_run(untrained, pairs)
    tally = evaluate_run(trained, source)
    done = evaluate_views(trained, source, "val", Views())
    np.testing.assert_array_equal(done.plain.confusion, tally.confusion)
    np.testing.assert_array_equal(done.averaged.confusion, tally.confusion)
    assert tally.frames == done.averaged.frames == len(source.splits["val"])


def test_evaluate_views_more_views_change_the_answer_and_cost_time(untrained: Path, pairs: Path) -> None:
    done = evaluate_views(*open_run(untrained, pairs), "val", Views(flip=True, scales=(0.75, 1.0, 1.25)))
    assert not np.array_equal(done.plain.confusion, done.averaged.confusion)
    assert done.plain.confusion.sum() == done.averaged.confusion.sum()
    assert done.cost > 2  # six runs of the network
    assert done.cost == done.averaged_ms / done.plain_ms


def test_evaluate_views_absent_split_is_named(untrained: Path, pairs: Path) -> None:
    with pytest.raises(DataError, match="no frames in split 'test'"):
        evaluate_views(*open_run(untrained, pairs), "test", Views())


def test_frame_labels_counts_as_the_evaluation_does(untrained: Path, pairs: Path) -> None:
    trained, source = open_run(untrained, pairs)
    scores, predict = evaluate_run(trained, source).scores(), frame_labels(trained)
    right = 0
    for index in range(len(source.splits["val"])):
        frame = fit(source.read("val", index), 64, 64)
        labels = predict(frame.image_hwc)
        assert (labels.dtype, labels.shape) == (np.uint8, (64, 64))
        right += int(((labels == frame.labels_hw) & (frame.labels_hw != 255)).sum())
    assert right / scores.pixels == pytest.approx(scores.pixel_accuracy, abs=1e-3)
