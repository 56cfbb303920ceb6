"""The files of a training run: what is called what, and how each is written. Knows no training step."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchinfo import summary

from runtime.errors import DataError, UsageError
from runtime.files import write_whole
from runtime.metrics import Scores
from trainer.checkpoint import load_checkpoint
from trainer.data.augment import fit
from trainer.data.dataset import Dataset as FrameSource
from trainer.data.dataset import spread_evenly
from trainer.display import TrainDisplay
from trainer.json_file import write_json
from trainer.loader import read_augmented, training_sampler
from trainer.networks.catalogue import network_name
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise, labels_from_logits
from trainer.panel import PanelRow, draw_panel
from trainer.settings.config import TrainConfig
from trainer.settings.config_file import to_toml

PANEL_ROWS = 4


class RunFolder:
    """Names and writers of a run's files.

    Args:
        path: the run; made when the first file is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"

    def require_unused(self) -> None:
        """Refuses to train over another run.

        Raises:
            UsageError: a checkpoint is there.
        """
        if self.last.exists() or self.best.exists():
            raise UsageError(
                f"{self.path}: holds a run already; go on with it by --resume, or give another folder to --out"
            )

    def past(self, epoch: int) -> Path:
        """The checkpoint that is kept of a past epoch."""
        return self.path / f"epoch_{epoch:03d}.safetensors"

    def remove_past(self, keep: int, epoch: int) -> None:
        """Removes the checkpoints of past epochs up to `epoch`, except the newest `keep`."""
        paths = {path.stem.removeprefix("epoch_"): path for path in self.path.glob("epoch_*.safetensors")}
        numbers = sorted(int(text) for text in paths if text.isdecimal() and int(text) <= epoch)
        for number in numbers[:-keep]:
            self.past(number).unlink(missing_ok=True)
            self.past(number).with_suffix(".json").unlink(missing_ok=True)

    def stored_config(self) -> TrainConfig:
        """The settings of the run that `last` belongs to.

        Raises:
            CheckpointError: there is none, or it is unusable.
        """
        return TrainConfig.from_dict(load_checkpoint(self.last).record["config"], str(self.last))

    def data_path(self, option: str = "--parity-data") -> Path:
        """Where this machine has the data that the run was trained on.

        Args:
            option: of the command, by which a user names other data.

        Raises:
            DataError: the run does not say, or the data is there no more.
        """
        note = self.path / "data.json"
        advice = f"name the data set by {option}"
        try:
            path = Path(json.loads(note.read_text())["path"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{note}: does not say where the run's data is ({error}); {advice}") from error
        if not path.exists():
            raise DataError(f"{path}: the run's data is there no more (noted in {note}); {advice}")
        return path

    def start(self, config: TrainConfig, source: FrameSource, network: nn.Module, display: TrainDisplay) -> None:
        """Writes the network summary and the picture of a training batch as the network gets it."""
        # stands apart from the settings: a path of this machine must not travel in a checkpoint or a model file
        write_json(self.path / "data.json", {"path": str(source.path.resolve())})
        size = (1, 3, config.height_px, config.width_px)
        text = str(
            summary(network, input_size=size, depth=2, verbose=0, col_names=("output_size", "num_params", "mult_adds"))
        )
        write_whole(self.path / "summary.txt", (text + "\n").encode())
        parameters = sum(each.numel() for each in network.parameters())
        width_px, height_px = config.width_px, config.height_px
        name = network_name(config.network)
        display.line(f"{name} at {width_px}x{height_px}: {parameters:,} parameters, layer by layer in summary.txt")
        write_whole(self.path / "panels" / "augmented.png", _augmented_panel(config, source))

    def write_config(self, config: TrainConfig) -> None:
        """Writes the settings for people, and for --config; a resumed run takes them from its checkpoint."""
        write_json(self.path / "config.json", config.to_dict())
        write_whole(self.path / "config.toml", to_toml(config).encode())

    def write_metrics(self, history: Sequence[dict[str, Any]]) -> None:
        """One JSON object a line, one line an epoch; the whole file each time, so that a resumed run has no doubles."""
        lines = "".join(json.dumps(entry) + "\n" for entry in history)
        write_whole(self.path / "metrics.jsonl", lines.encode())

    def write_panel(
        self,
        source: FrameSource,
        config: TrainConfig,
        network: nn.Module,
        device: torch.device,
        epoch: int,
        result: Scores,
    ) -> None:
        """Draws the same few validation frames each time: photo | truth | predicted."""
        chosen = spread_evenly(len(source.splits["val"]), PANEL_ROWS)
        frames = [fit(source.read("val", index), config.height_px, config.width_px) for index in chosen]
        network.eval()
        with torch.no_grad():
            images = torch.from_numpy(np.stack([frame.image_hwc for frame in frames])).to(device)
            predicted = labels_from_logits(network(Normalise().to(device)(images)).float()).cpu().numpy()
        rows = [
            PanelRow(image_hwc=frame.image_hwc, truth_hw=frame.labels_hw, predicted_hw=labels)
            for frame, labels in zip(frames, predicted, strict=True)
        ]
        title = f"epoch {epoch}   mean IoU {result.mean_iou:.3f}   pixel accuracy {result.pixel_accuracy:.3f}"
        data = draw_panel(rows, source.label_space, title=title, iou=result.iou.tolist())
        write_whole(self.path / "panels" / f"epoch_{epoch:03d}.png", data)


def _augmented_panel(config: TrainConfig, source: FrameSource) -> bytes:
    """The first images of epoch 1 as the network gets them, taken back from the normalised tensor."""
    sampler = training_sampler(source, config)
    mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    rows = []
    for key in islice(sampler, PANEL_ROWS):
        frame = read_augmented(source, config, key)
        normalised = Normalise()(torch.from_numpy(frame.image_hwc)[None])[0].permute(1, 2, 0).numpy()
        restored = np.clip((normalised * std + mean) * 255.0 + 0.5, 0, 255).astype(np.uint8)
        rows.append(PanelRow(image_hwc=restored, truth_hw=frame.labels_hw))
    return draw_panel(rows, source.label_space, title="training images as the network gets them, epoch 1")
