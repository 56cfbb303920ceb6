"""Photos that are copies of each other though their bytes differ: encoded again, or at another size.

Each photo is kept as 16x16 greys; two are copies where these, less their mean, point the same way (cosine over 0.98).
Every photo is compared with every other, so no hash has to be right first. Measured on Cityscapes pairs,
CamVid and synthetic scenes of 64x64 to 480x360: copies at JPEG quality 50 to 95 and 0.5 to 2 times the size reach 0.994
or more, different photos of train and val 0.945 or less. The next frame of a film by a camera that stands still can't
be told from a copy, and leaks as much.
"""

import numpy as np
import numpy.typing as npt

from trainer.data.images import resize_image

SIDE_PX = 16  # 32 tells frames of a film better apart, but loses copies of a 64x64 photo at half the size
COPY_COSINE = 0.98
MIN_CONTRAST = 4.0  # standard deviation in grey levels below which a photo has nothing to be known by
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601
_BLOCK = 4096  # photos compared at a time with as many: 64 MB of cosines


def thumbnail(image_hwc: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What is kept of a photo: uint8 `[256]`, greys 0..255, out of uint8 `[H,W,3]` RGB of any size."""
    small = resize_image(image_hwc, SIDE_PX, SIDE_PX) @ _GREY
    return small.reshape(-1).round().astype(np.uint8)


def nearest_copies(later: npt.NDArray[np.uint8], earlier: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Finds for each photo the one that it is a copy of.

    Args:
        later: thumbnails uint8 `[N,256]`.
        earlier: thumbnails uint8 `[M,256]`.

    Returns:
        Pairs of places in `later` and `earlier`, at most one for each of `later`: the most alike.
    """
    pairs = []
    for start in range(0, len(later), _BLOCK):
        block = _directions(later[start : start + _BLOCK])
        best, place = np.full(len(block), -1.0), np.zeros(len(block), np.intp)
        for at in range(0, len(earlier), _BLOCK):
            cosines = block @ _directions(earlier[at : at + _BLOCK]).T
            here = cosines.argmax(axis=1)
            value = cosines[np.arange(len(block)), here]
            place[value > best] = here[value > best] + at
            best = np.maximum(best, value)
        found = np.flatnonzero(best > COPY_COSINE)
        pairs += [(start + int(row), int(place[row])) for row in found]
    return pairs


def _directions(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Thumbnails without their mean, at length 1; at length 0 where there is too little contrast to compare."""
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True, dtype=np.float32)
    contrast = centred.std(axis=1, keepdims=True)
    length = contrast * SIDE_PX  # the root of the 256 values' squares
    return np.where(contrast < MIN_CONTRAST, 0, centred / np.maximum(length, 1)).astype(np.float32)
