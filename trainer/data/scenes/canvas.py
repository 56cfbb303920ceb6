"""A picture whose pixels hold a colour and a class together, so that photo and labels can't disagree.

Pillow's RGBA mode without blending does it: R, G, B are the colour, A is the class as its place in `CITYSCAPES`. One
draw call sets all four, aliased, so that the nearest shape wins in photo and labels alike.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from trainer.data.cityscapes import CITYSCAPES

Colour = tuple[int, int, int]

CLASS_NUMBER = {entry.name: number for number, entry in enumerate(CITYSCAPES)}
CLASS_COLOURS = np.array([entry.colour for entry in CITYSCAPES], dtype=np.uint8)


def scaled(colour: Colour, factor: float) -> Colour:
    """Returns a colour made darker (factor under 1) or brighter, at most white."""
    red, green, blue = colour
    return min(255, int(red * factor)), min(255, int(green * factor)), min(255, int(blue * factor))


class Canvas:
    """A square of colour and class, painted from far to near.

    Args:
        side_px: side of the final picture.
        oversampling: canvas pixels per final pixel, along each axis.
    """

    def __init__(self, side_px: int, oversampling: int) -> None:
        self.side_px = side_px
        self.oversampling = oversampling
        self.canvas_px = side_px * oversampling
        self._image = Image.new("RGBA", (self.canvas_px, self.canvas_px))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, corners: Sequence[float], colour: Colour, name: str) -> None:
        """Paints a filled polygon.

        Args:
            corners: canvas coordinates as a flat column, row, column, row, ... sequence.
            colour: RGB, each 0..255.
            name: Cityscapes name of what it shows.
        """
        self._draw.polygon(corners, fill=(*colour, CLASS_NUMBER[name]))

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour, name: str) -> None:
        """Paints a filled ellipse with upright axes; `centre` and `radii` in canvas pixels as (column, row)."""
        (column, row), (across, down) = centre, radii
        box = (column - across, row - down, column + across, row + down)
        self._draw.ellipse(box, fill=(*colour, CLASS_NUMBER[name]))

    def picture(self, colours: Image.Image, cut_out: Image.Image | None, corner: tuple[int, int], name: str) -> None:
        """Pastes a picture, all of one class.

        Args:
            colours: RGB picture in canvas pixels.
            cut_out: picture of the same size in mode "1" that says which of its pixels exist; None for all.
            corner: canvas (column, row) of its upper left pixel; may lie outside.
            name: Cityscapes name of what it shows.
        """
        labelled = colours.convert("RGBA")
        labelled.putalpha(CLASS_NUMBER[name])
        self._image.paste(labelled, corner, cut_out)

    def darken(self, keep: Image.Image) -> None:
        """Multiplies the colours, not the classes, by a picture of mode "L" where 255 keeps a pixel as it is."""
        if keep.size != self._image.size:
            keep = keep.resize(self._image.size, Image.Resampling.BILINEAR)
        *colours, classes = self._image.split()
        self._image = Image.merge("RGBA", [*(ImageChops.multiply(band, keep) for band in colours), classes])
        self._draw = ImageDraw.Draw(self._image)

    def photo(self) -> NDArray[np.uint8]:
        """Returns the colours at the final size, antialiased, uint8 [side_px, side_px, 3] RGB."""
        red, green, blue, _ = self._image.split()
        return np.asarray(Image.merge("RGB", (red, green, blue)).reduce(self.oversampling))

    def classes(self) -> NDArray[np.uint8]:
        """Returns the class at the middle of each final pixel, uint8 [side_px, side_px], places in `CITYSCAPES`."""
        middle = self.oversampling // 2
        return np.asarray(self._image.getchannel("A"))[middle :: self.oversampling, middle :: self.oversampling]
