"""Pictures through a model file as its camera would deliver them, whatever the layout, crop and batch. No torch."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.ahead import ahead
from export.proof.candidate import as_batch, groups
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

    A thread takes the next pictures and turns them while one is labelled. A file for batches gets them in groups, the
    last one filled up with its last frame.

    Args:
        segmenter: an open one; left open.
        pictures: each with a key of the caller's; uint8 [H, W, 3] RGB of any size.

    Yields:
        Key, labels uint8 [H, W] of the spec's labels_shape, and whether no 255 stands in them.
    """
    spec = segmenter.spec
    delivered = ((key, as_camera_frame(image_hwc, spec)) for key, image_hwc in pictures)
    for group in groups(ahead(delivered, spec.batch + 1), spec.batch):
        result = segmenter.segment(as_batch([frame for _, frame in group], spec.batch))
        labels_nhw = result.labels.reshape(spec.batch, *spec.labels_shape)
        for (key, _), labels_hw in zip(group, labels_nhw, strict=False):  # what fills up a group has no key
            yield key, labels_hw, int(labels_hw.max()) != spec.ignore_id
