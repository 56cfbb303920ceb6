"""YUV bytes to RGB, as torch modules that are traced into the graph."""

import torch
from torch import Tensor, nn

from runtime.camera import CameraSpec

# weights of red and blue in luma: ITU-R BT.601-7, 2.5.1; BT.709-6, 3.2
_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}

# lowest level and extent of luma, extent of chroma around 128: BT.601-7, 2.5.3; "full" as in JPEG (ITU-T T.871)
_LEVELS = {"limited": (16.0, 219.0, 224.0), "full": (0.0, 255.0, 255.0)}

_LARGEST_GROUP = 2  # pixel pairs in a product; of 1 to 16, two are fastest in ONNX Runtime on a CPU


def yuv_to_rgb(matrix: str, levels: str) -> tuple[Tensor, Tensor]:
    """The affine map from Y, U, V to R, G, B, all 0..255.

    Args:
        matrix: "bt601" or "bt709".
        levels: "limited" or "full".

    Returns:
        float64 [3,3], rows Y, U, V and columns R, G, B, and float64 [3] to be added.
    """
    red, blue = _RED_BLUE[matrix]
    green = 1.0 - red - blue
    black, luma, chroma = _LEVELS[levels]
    from_v, from_u = 2.0 * (1.0 - red), 2.0 * (1.0 - blue)
    weights = torch.tensor(
        [
            [255.0 / luma] * 3,
            [0.0, -from_u * blue / green * 255.0 / chroma, from_u * 255.0 / chroma],
            [from_v * 255.0 / chroma, -from_v * red / green * 255.0 / chroma, 0.0],
        ],
        dtype=torch.float64,
    )
    return weights, -torch.tensor([black, 128.0, 128.0], dtype=torch.float64) @ weights


class YuvToRgb(nn.Module):
    """A cropped NV12 or UYVY frame to RGB.

    Each pixel takes the chroma sample of its pair (UYVY) or of its block of 2x2 (NV12) as it is, which is what OpenCV's
    cvtColor does; chroma sited on the left luma sample, as MPEG-2 has it, is thereby seen up to half a pixel off.
    Red, green and blue are clipped to 0..255 and not rounded.

    The colour matrix is applied to groups of pixels at once by one product with a constant block-diagonal matrix: rows
    of bytes go in, rows of RGB come out, and no chroma plane is enlarged first.

    Args:
        camera: layout "nv12" or "uyvy"; its crop may begin and end on odd pixels.
    """

    luma: Tensor
    chroma: Tensor
    offset: Tensor

    def __init__(self, camera: CameraSpec) -> None:
        super().__init__()
        self.rows = camera.height_px
        self.is_nv12 = camera.layout == "nv12"
        x, y, width, height = camera.crop or (0, 0, camera.width_px, camera.height_px)
        # whole pairs and, in NV12, whole blocks; what is too much is cut off afterwards
        self.left, self.right = x - x % 2, x + width + (x + width) % 2
        self.top, self.bottom = (y - y % 2, y + height + (y + height) % 2) if self.is_nv12 else (y, y + height)
        self.inside = (y - self.top, y - self.top + height, x - self.left, x - self.left + width)

        pairs = (self.right - self.left) // 2
        self.group = _LARGEST_GROUP if pairs % _LARGEST_GROUP == 0 else 1
        weights, offset = yuv_to_rgb(str(camera.yuv_matrix), str(camera.yuv_range))
        u_row, v_row = (torch.cat([row, row]) for row in weights[1:])  # two pixels share a chroma sample
        nothing = torch.zeros(3, dtype=torch.float64)
        y_first, y_second = torch.cat([weights[0], nothing]), torch.cat([nothing, weights[0]])
        if self.is_nv12:
            luma, chroma = torch.stack([y_first, y_second]), torch.stack([u_row, v_row])
        else:
            luma, chroma = torch.stack([u_row, y_first, v_row, y_second]), torch.zeros(0, 6)
        self.register_buffer("luma", _grouped(luma, self.group), persistent=False)
        self.register_buffer("chroma", _grouped(chroma, self.group), persistent=False)
        self.register_buffer("offset", offset.repeat(2 * self.group).float(), persistent=False)

    def forward(self, frame: Tensor) -> Tensor:
        """Uint8 frames, [N,H*3/2,W] or [N,H,W,2] -> float RGB [N,H',W',3] of the crop, 0..255."""
        rgb = self._from_nv12(frame) if self.is_nv12 else self._from_uyvy(frame)
        top, bottom, left, right = self.inside
        if (top, bottom, left, right) != (0, rgb.shape[1], 0, rgb.shape[2]):
            rgb = rgb[:, top:bottom, left:right]
        return rgb

    def _from_uyvy(self, frame: Tensor) -> Tensor:
        frame = part(part(frame, 1, self.top, self.bottom), 2, self.left, self.right)
        batch, height, width, _ = frame.shape
        groups = frame.float().reshape(batch, height, width // (2 * self.group), 4 * self.group)
        return (groups @ self.luma + self.offset).clamp(0.0, 255.0).reshape(batch, height, width, 3)

    def _from_nv12(self, frame: Tensor) -> Tensor:
        luma = part(part(frame, 1, self.top, self.bottom), 2, self.left, self.right)
        chroma = part(frame, 1, self.rows + self.top // 2, self.rows + self.bottom // 2)
        chroma = part(chroma, 2, self.left, self.right)
        batch, height, width = luma.shape
        shape = (width // (2 * self.group), 2 * self.group)
        grey = luma.float().reshape(batch, height, *shape) @ self.luma
        tint = chroma.float().reshape(batch, height // 2, *shape) @ self.chroma + self.offset
        # each row of chroma serves two of luma; the inner dimension stays long, for whole vectors
        rgb = grey.reshape(batch, height // 2, 2, width * 3) + tint.reshape(batch, height // 2, 1, width * 3)
        return rgb.clamp(0.0, 255.0).reshape(batch, height, width, 3)


def _grouped(pair: Tensor, group: int) -> Tensor:
    """The matrix of one pixel pair, repeated along the diagonal."""
    return torch.block_diag(*[pair] * group).float()


def part(values: Tensor, axis: int, start: int, end: int) -> Tensor:
    """What lies from `start` to `end` along an axis; a slice of all would stay in the graph as a node for nothing."""
    return values if (start, end) == (0, values.shape[axis]) else values.narrow(axis, start, end - start)
