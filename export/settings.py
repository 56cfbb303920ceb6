"""ExportSettings: what `segtool export` was asked for, as one frozen value."""

from dataclasses import dataclass
from typing import Literal, get_args

from runtime.camera import CameraSpec
from runtime.errors import UsageError

Precision = Literal["fp32", "fp16", "int8"]
Int8Target = Literal["cpu", "tensorrt"]
LabelsAt = Literal["network", "camera"]
LabelsFrom = Literal["logits", "labels"]
Resize = Literal["auto", "products", "resize-node"]

_LARGEST_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What the file is to be.

    Attributes:
        precision: of the network's weights and arithmetic; bytes stand at both ends whatever it is.
        int8_target: the engine that int8 is made for.
        camera: how frames are delivered; None for uint8 RGB of the network's size.
        labels_at: size of the label map; "camera" is the camera's, or its crop's.
        labels_from: what is enlarged for that: labels, to the nearest, or logits, bilinearly, which gains 0.0004 to
            0.003 of mean IoU and takes 40 ms more of a CPU at 1920x1208 (docs/experiments.md).
        confidence: a second output: uint8, 255 times the softmax of the winning class.
        batch: frames that go through the file in one run.
    """

    precision: Precision = "fp32"
    int8_target: Int8Target = "cpu"
    camera: CameraSpec | None = None
    labels_at: LabelsAt = "network"
    labels_from: LabelsFrom = "labels"
    confidence: bool = False
    batch: int = 1

    def __post_init__(self) -> None:
        for name, choices in (
            ("precision", get_args(Precision)),
            ("int8_target", get_args(Int8Target)),
            ("labels_at", get_args(LabelsAt)),
            ("labels_from", get_args(LabelsFrom)),
        ):
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not 1 <= self.batch <= _LARGEST_BATCH:
            raise UsageError(f"--batch must be 1 to {_LARGEST_BATCH}, got {self.batch}; the default is 1")
        if self.labels_at == "camera" and self.camera is None:
            raise UsageError("--labels-at camera needs a camera's size, got none; give --camera WIDTHxHEIGHT too")
        if self.labels_from == "logits" and self.labels_at == "network":
            raise UsageError("--labels-from logits is for --labels-at camera, got network; give both or neither")


@dataclass(frozen=True, kw_only=True)
class CameraRequest:
    """What is said of a camera; `graph.camera.plan_camera` makes a CameraSpec of it once the network is known.

    Attributes:
        width_px: of the frame; None for the network's.
        height_px: of the frame; None for the network's.
        layout: "rgb", "bgr", "nv12" or "uyvy".
        crop: x, y, width and height of what the network sees, in pixels of the frame; None for all of it.
        stretch: take another aspect than the network's.
        yuv_matrix: "bt601" or "bt709"; None for what is usual at that size.
        yuv_range: "limited" or "full"; None for limited.
        resize: how the graph shrinks.
    """

    width_px: int | None = None
    height_px: int | None = None
    layout: str = "rgb"
    crop: tuple[int, int, int, int] | None = None
    stretch: bool = False
    yuv_matrix: str | None = None
    yuv_range: str | None = None
    resize: Resize = "auto"
