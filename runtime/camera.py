"""CameraSpec: how a camera delivers a frame and which part of it the network sees. Plain values only."""

from dataclasses import dataclass, fields

from .errors import SpecError

LAYOUTS = ("rgb", "bgr", "nv12", "uyvy")
YUV_LAYOUTS = ("nv12", "uyvy")
YUV_MATRICES = ("bt601", "bt709")
YUV_RANGES = ("limited", "full")
RESIZES = ("none", "products", "resize-node")

_MAX_SIDE_PX = 16384


@dataclass(frozen=True, kw_only=True)
class CameraSpec:
    """A frame as the camera's driver hands it over, and what the graph does with it before the network.

    Attributes:
        height_px: of the frame.
        width_px: of the frame.
        layout: "rgb" or "bgr": uint8 [H,W,3]; "nv12": uint8 [H*3/2,W], the plane Y over the rows of interleaved U and
            V at half size; "uyvy": uint8 [H,W,2], U Y V Y for each two pixels of a row.
        yuv_matrix: "bt601" or "bt709" (ITU-R BT.601-7, BT.709-6); None for "rgb" and "bgr".
        yuv_range: "limited": luma 16 to 235 and chroma 16 to 240; "full": 0 to 255; None for "rgb" and "bgr".
        crop: x, y, width, height in pixels of the frame: what the network sees; None for all of it.
        resize: how the graph shrinks that to the network's size: "products" with constant matrices, or ONNX's
            "resize-node" with antialias; "none" where it has that size already.
    """

    height_px: int
    width_px: int
    layout: str = "rgb"
    yuv_matrix: str | None = None
    yuv_range: str | None = None
    crop: tuple[int, int, int, int] | None = None
    resize: str = "none"

    def __post_init__(self) -> None:
        self._check_size()
        self._check_colour()
        self._check_crop()
        _require(self.resize in RESIZES, "resize", " or ".join(RESIZES), self.resize)

    def _check_size(self) -> None:
        for name in ("height_px", "width_px"):
            value = getattr(self, name)
            _require(type(value) is int and 1 <= value <= _MAX_SIDE_PX, name, f"1 to {_MAX_SIDE_PX}", value)
        _require(self.layout in LAYOUTS, "layout", " or ".join(LAYOUTS), self.layout)
        if self.layout in YUV_LAYOUTS:
            _require(self.width_px % 2 == 0, "width_px", f"an even number for {self.layout}", self.width_px)
        if self.layout == "nv12":
            _require(self.height_px % 2 == 0, "height_px", "an even number for nv12", self.height_px)

    def _check_colour(self) -> None:
        for name, choices in (("yuv_matrix", YUV_MATRICES), ("yuv_range", YUV_RANGES)):
            value = getattr(self, name)
            if self.layout in YUV_LAYOUTS:
                _require(value in choices, name, " or ".join(choices), value)
            else:
                _require(value is None, name, f"None for {self.layout}", value)

    def _check_crop(self) -> None:
        if self.crop is None:
            return
        whole = isinstance(self.crop, tuple) and len(self.crop) == 4 and all(type(part) is int for part in self.crop)
        _require(whole, "crop", "x, y, width and height", self.crop)
        x, y, width, height = self.crop
        inside = x >= 0 and y >= 0 and width >= 1 and height >= 1
        inside = inside and x + width <= self.width_px and y + height <= self.height_px
        _require(inside, "crop", f"a part of the frame of {self.width_px}x{self.height_px}", list(self.crop))

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame, uint8; see `layout`."""
        if self.layout == "nv12":
            return self.height_px * 3 // 2, self.width_px
        return self.height_px, self.width_px, 2 if self.layout == "uyvy" else 3

    @property
    def seen_shape(self) -> tuple[int, int]:
        """Height and width of the part that the network sees, in pixels of the frame."""
        return (self.crop[3], self.crop[2]) if self.crop is not None else (self.height_px, self.width_px)

    @classmethod
    def from_document(cls, document: object) -> "CameraSpec":
        """Rebuilds it from what JSON has of it.

        Raises:
            SpecError: not a JSON object, a field missing, unknown or out of range.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(document, dict) or set(document) != known:
            raise SpecError(f"expected camera with the fields {sorted(known)}, got {document!r:.80}; export it again")
        crop = document["crop"]
        return cls(**{**document, "crop": tuple(crop) if isinstance(crop, list) else crop})


def _require(fine: bool, name: str, expected: str, got: object) -> None:
    if not fine:
        raise SpecError(f"camera: expected {name} to be {expected}, got {got!r:.60}; correct what was given")
