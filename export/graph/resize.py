"""Pillow's antialiased bilinear resizing inside the graph, in two ways, as torch modules."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_LARGEST_BLOCKS = 16
_LEAST_OUTPUTS = 16  # of a block


def triangle_weights(old_px: int, new_px: int) -> Tensor:
    """How much of each old pixel is in each new one, by the formula of Pillow's `Resample.c` for BILINEAR.

    A triangle over the new pixel's centre, as wide as two new pixels or, when enlarging, two old ones; cut at the
    border and normalised.

    Returns:
        float64 [new_px, old_px]; rows add up to 1.
    """
    scale = old_px / new_px
    support = max(scale, 1.0)
    centres = (torch.arange(new_px, dtype=torch.float64) + 0.5)[:, None] * scale
    distances = (torch.arange(old_px, dtype=torch.float64)[None] + 0.5 - centres) / support
    weights = (1.0 - distances.abs()).clamp(min=0.0)
    return weights / weights.sum(dim=1, keepdim=True)


class _Product(nn.Module):
    """One direction of the resizing: a product with a constant matrix, in blocks.

    The matrix is a band along the diagonal. Done at once, 1208 to 320 rows of 1920 RGB pixels take 44 ms on a core; in
    16 blocks, each of the few old pixels that its new ones touch, 7 ms.

    Args:
        old_px: length before.
        new_px: length after.
        last: along the last axis; else along axis 1.
    """

    def __init__(self, old_px: int, new_px: int, *, last: bool) -> None:
        super().__init__()
        self.last = last
        self.spans: list[tuple[int, int]] = []
        count = max(1, min(_LARGEST_BLOCKS, new_px // _LEAST_OUTPUTS))
        for index, rows in enumerate(triangle_weights(old_px, new_px).tensor_split(count)):
            used = rows.any(dim=0).nonzero()
            start, end = int(used[0]), int(used[-1]) + 1
            self.spans.append((start, end))
            block = rows[:, start:end].float()
            self.register_buffer(f"block{index}", block.T.contiguous() if last else block, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """[N,old,K] -> float [N,new,K], or [N,K,old] -> float [N,K,new]; uint8 becomes float block by block."""
        axis = 2 if self.last else 1
        parts = []
        for index, (start, end) in enumerate(self.spans):
            matrix = self.get_buffer(f"block{index}")
            part = values.narrow(axis, start, end - start) if end - start < values.shape[axis] else values
            parts.append(part.float() @ matrix if self.last else matrix @ part.float())
        return torch.cat(parts, dim=axis) if len(parts) > 1 else parts[0]


class Products(nn.Module):
    """Resizing as two products with constant matrices: rows first, then columns, then the engine has no say in it.

    Args:
        old: height and width before.
        new: height and width after.
    """

    def __init__(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        super().__init__()
        self.new = new
        self.rows = _Product(old[0], new[0], last=False) if old[0] != new[0] else None
        self.columns = _Product(old[1], new[1], last=True) if old[1] != new[1] else None

    def forward(self, image_nhwc: Tensor) -> Tensor:
        """Uint8 or float [N,H,W,3] -> float [N,3,h,w], not rounded."""
        batch, height, width, _ = image_nhwc.shape
        if self.rows is not None:
            image_nhwc = self.rows(image_nhwc.reshape(batch, height, width * 3))
            image_nhwc = image_nhwc.reshape(batch, self.new[0], width, 3)
        planes = image_nhwc.permute(0, 3, 1, 2)
        if self.columns is not None:
            planes = self.columns(planes.reshape(batch, 3 * self.new[0], width))
            planes = planes.reshape(batch, 3, *self.new)
        return planes


class ResizeNode(nn.Module):
    """Resizing by ONNX's Resize with antialias; trace.py adds exclude_outside, which torch's exporter can't say.

    Args:
        new: height and width after.
    """

    def __init__(self, new: tuple[int, int]) -> None:
        super().__init__()
        self.new = new

    def forward(self, image_nhwc: Tensor) -> Tensor:
        """Uint8 or float [N,H,W,3] -> float [N,3,h,w], not rounded."""
        planes = image_nhwc.permute(0, 3, 1, 2).float()
        return functional.interpolate(planes, self.new, mode="bilinear", align_corners=False, antialias=True)
