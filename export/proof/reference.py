"""The trained network itself, in PyTorch, behind a door written a second time: what a file is held against.

Colour, crop and resize come from `camera_reference.py`, normalisation and enlarging are done here in float64, and the
network is the trained one, batch norms not folded. Nothing of the exported graph is used.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from export.proof.camera_reference import reference_stages
from export.proof.pixels import margins
from runtime.errors import ModelFileError
from runtime.spec import ModelSpec
from trainer.data.camera_frames import as_camera_frame
from trainer.data.dataset import Frame
from trainer.data.images import resize_image, resize_labels
from trainer.evaluate import TrainedNetwork
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, labels_from_logits

LEVELS = 255.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceFrame:
    """What the trained network makes of one frame.

    Attributes:
        name: of the frame.
        image: uint8 [spec.frame_shape], the frame as the camera delivers it.
        truth_hw: uint8 [spec.labels_shape], 255 = ignored.
        stages: float64 arrays by name, those that a graph has for this door: "colour" [H,W,3] and "resized" [h,w,3]
            (RGB, 0..255), "normalised" [3,h,w], "logits" [C,h,w].
        labels_hw: uint8 [spec.labels_shape], 255 where a logit is not finite.
        margin_hw: float32 [spec.labels_shape], `pixels.margins`.
        confidence_hw: float64 [spec.labels_shape], 255 times the softmax of the winning class, 0 where the label is
            255; None where the spec has no confidence.
    """

    name: str
    image: NDArray[np.uint8]
    truth_hw: NDArray[np.uint8]
    stages: dict[str, NDArray[np.float64]]
    labels_hw: NDArray[np.uint8]
    margin_hw: NDArray[np.float32]
    confidence_hw: NDArray[np.float64] | None


class Reference:
    """Answers frames as the trained network would, behind the door that a spec describes.

    Of the spec only the door counts: sizes, camera, place of the labels, temperature. Weights, mean and std are those
    of the training, whatever the file says of itself.
    """

    def __init__(self, trained: TrainedNetwork, spec: ModelSpec) -> None:
        """Checks that the spec is of this run.

        Raises:
            ModelFileError: its classes, its size or its normalisation are others than the run's.
        """
        config = trained.config
        expected = (trained.classes, (config.width_px, config.height_px), IMAGENET_MEAN, IMAGENET_STD)
        found = (spec.classes, (spec.width_px, spec.height_px), spec.mean, spec.std)
        for what, ours, theirs in zip(("classes", "size", "mean", "std"), expected, found, strict=True):
            if ours != theirs:
                raise ModelFileError(
                    f"spec: expected the run's {what} {', '.join(map(str, ours))}, got {', '.join(map(str, theirs))}; "
                    "name the run that the file was exported from"
                )
        self.temperature = None if spec.confidence is None else float(str(spec.confidence["temperature"]))
        self.spec = spec
        self.network = trained.network

    def __call__(self, frame: Frame) -> ReferenceFrame:
        """Answers one frame.

        Args:
            frame: of a data set, at its own size.
        """
        image, stages = self._front(frame.image_hwc)
        with torch.no_grad():
            logits = self.network(torch.from_numpy(stages["normalised"].astype(np.float32))[None])[0].double()
        stages["logits"] = logits.numpy()
        labels_hw, margin_hw, confidence_hw = self._back(logits)
        return ReferenceFrame(
            name=frame.name,
            image=image,
            truth_hw=resize_labels(frame.labels_hw, *self.spec.labels_shape),
            stages=stages,
            labels_hw=labels_hw,
            margin_hw=margin_hw,
            confidence_hw=confidence_hw,
        )

    def _front(self, image_hwc: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float64]]]:
        """The frame as the camera delivers it, and the stages up to "normalised"."""
        spec = self.spec
        if spec.camera is None:
            image = resize_image(image_hwc, spec.height_px, spec.width_px)
            stages, seen = {}, image.astype(np.float64)
        else:
            image = as_camera_frame(image_hwc, spec)
            stages = reference_stages(image, spec.camera, spec.height_px, spec.width_px)
            seen = stages["resized"]
        stages["normalised"] = ((seen / LEVELS - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)).transpose(2, 0, 1)
        return image, stages

    def _back(
        self, logits_chw: torch.Tensor
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float64] | None]:
        """Labels, margins and confidence at the size of the labels, from float64 logits [C,h,w]."""
        spec = self.spec
        height, width = spec.labels_shape
        enlarge = (height, width) != tuple(logits_chw.shape[1:])
        if enlarge and spec.labels_from == "logits":
            logits_chw = functional.interpolate(logits_chw[None], (height, width), mode="bilinear")[0]
        labels_hw = labels_from_logits(logits_chw[None])[0].numpy()
        margin_hw = margins(logits_chw.numpy())
        confidence_hw = self._confidence(logits_chw, labels_hw)
        if enlarge and spec.labels_from == "labels":
            rows, columns = nearest(labels_hw.shape[0], height), nearest(labels_hw.shape[1], width)
            labels_hw, margin_hw = labels_hw[rows][:, columns], margin_hw[rows][:, columns]
            confidence_hw = confidence_hw[rows][:, columns] if confidence_hw is not None else None
        return labels_hw, margin_hw, confidence_hw

    def _confidence(self, logits_chw: torch.Tensor, labels_hw: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        if self.temperature is None:
            return None
        winning = torch.softmax(logits_chw / self.temperature, dim=0).amax(dim=0).numpy()
        return np.where(labels_hw == self.spec.ignore_id, 0.0, LEVELS * winning)


def nearest(size: int, new_size: int) -> NDArray[np.intp]:
    """Which old pixel's area each new pixel's centre lies in, along one axis: int [new_size]."""
    return ((np.arange(new_size) + 0.5) * size / new_size).astype(np.intp)
