"""Pictures through a model file as its camera would deliver them, whatever the layout, crop and batch. No torch."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec
from trainer.data.camera_frames import as_camera_frame

Key = TypeVar("Key")


def picture_size(spec: ModelSpec) -> tuple[int, int]:
    """Height and width of what a file's network is shown of a scene: the camera's frame, or its crop."""
    return spec.camera.seen_shape if spec.camera is not None else (spec.height_px, spec.width_px)


def label_each(
    segmenter: Segmenter, pictures: Iterable[tuple[Key, npt.NDArray[np.uint8]]]
) -> Iterator[tuple[Key, npt.NDArray[np.uint8], bool]]:
    """Labels pictures in their order, each turned into what the file's camera would deliver (`as_camera_frame`).

    A file for batches gets them in groups; what fills up the last one is black, and its labels are dropped.

    Args:
        segmenter: an open one; left open.
        pictures: each with a key of the caller's; uint8 [H, W, 3] RGB of any size.

    Yields:
        Key, labels uint8 [H, W] of the spec's labels_shape, and whether no 255 stands in them.
    """
    spec = segmenter.spec
    if spec.batch == 1:
        for key, image_hwc in pictures:
            result = segmenter.segment(as_camera_frame(image_hwc, spec))
            yield key, result.labels, result.valid
        return
    keys: list[Key] = []
    frames = np.zeros((spec.batch, *spec.frame_shape), np.uint8)
    for key, image_hwc in pictures:
        frames[len(keys)] = as_camera_frame(image_hwc, spec)
        keys.append(key)
        if len(keys) == spec.batch:
            yield from _label_group(segmenter, keys, frames)
            keys = []
    if keys:
        frames[len(keys) :] = 0
        yield from _label_group(segmenter, keys, frames)


def _label_group(
    segmenter: Segmenter, keys: list[Key], frames: npt.NDArray[np.uint8]
) -> Iterator[tuple[Key, npt.NDArray[np.uint8], bool]]:
    labels_nhw = segmenter.segment(frames).labels
    for key, labels_hw in zip(keys, labels_nhw[: len(keys)], strict=True):
        yield key, labels_hw, not np.any(labels_hw == segmenter.spec.ignore_id)
