"""The models of a stream: the one that runs, the one that it may go back to, and the way another one comes in."""

import os
import threading
from dataclasses import dataclass

from ..errors import UsageError
from ..events import OnEvent
from ..health import State
from ..segmenter import Segmenter
from ..spec import ModelSpec
from .plausibility import Plausibility


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A Segmenter and what its file says of answers to expect.

    Attributes:
        segmenter: ready.
        plausibility: of its answers.
        own: the stream made it, and closes it.
    """

    segmenter: Segmenter
    plausibility: Plausibility
    own: bool

    def close(self) -> None:
        """Closes what the stream made."""
        if self.own:
            self.segmenter.close()


class Models:
    """At most two: the one that runs and the one before it. The stream's lock guards `current` and `previous`."""

    def __init__(self, segmenter: Segmenter, on_event: OnEvent | None) -> None:
        """Begins with the caller's Segmenter, which stays the caller's to close."""
        self.current = Model(segmenter=segmenter, plausibility=Plausibility(segmenter.spec), own=False)
        self.previous: Model | None = None
        self.loading = threading.RLock()  # one at a time; again from an event of the one that is being loaded
        self._on_event = on_event

    def load(self, path: str | os.PathLike[str], sha256: str | None, *, allow_cpu: bool) -> Model:
        """Opens another file beside the running one, on the same provider with the same options.

        Raises:
            UsageError: it takes other frames or gives other labels.
            ModelFileError, DeviceError: as a Segmenter's constructor.
        """
        now = self.current.segmenter
        segmenter = Segmenter(
            path, now.provider, options=now.options, sha256=sha256, allow_cpu=allow_cpu, on_event=self._on_event
        )
        for name, (old, new) in _door(now.spec, segmenter.spec).items():
            if old != new:
                segmenter.close()
                raise UsageError(
                    f"{path}: expected a file with {name} {old}, as the running {now.where} has, got {new}; "
                    "make a new Stream for it"
                )
        return Model(segmenter=segmenter, plausibility=Plausibility(segmenter.spec), own=True)

    def let_go(self) -> Model | None:
        """Forgets the one before, so that there are never more than two; returns it, None where there is none."""
        older, self.previous = self.previous, None
        return older

    def switch(self, model: Model) -> None:
        """Makes it the one that runs, and the one that ran the one before."""
        self.previous, self.current = self.current, model

    def can_go_back(self) -> bool:
        """Whether there is one before, and it can run: the caller may have closed its own. Never waits."""
        previous = self.previous
        return previous is not None and previous.segmenter.health().state is State.READY

    def go_back_from(self, model: Model) -> bool:
        """Makes the one before `model` run again; returns whether it did: `model` runs, and the one before it can."""
        if self.previous is None or self.current is not model or not self.can_go_back():
            return False
        self.current, self.previous = self.previous, None
        return True

    def has(self, model: Model) -> bool:
        """Whether it is one of the two."""
        return model is self.current or model is self.previous


def _door(old: ModelSpec, new: ModelSpec) -> dict[str, tuple[object, object]]:
    return {
        "layout": (old.layout, new.layout),
        "frames": (list(old.frame_shape), list(new.frame_shape)),
        "confidence": (old.confidence is not None, new.confidence is not None),
        "labels": (list(old.labels_shape), list(new.labels_shape)),
        "classes": (list(old.classes), list(new.classes)),
        "batch": (old.batch, new.batch),
        "YUV matrix": (old.camera and old.camera.yuv_matrix, new.camera and new.camera.yuv_matrix),
        "YUV range": (old.camera and old.camera.yuv_range, new.camera and new.camera.yuv_range),
        "label space": (old.label_space, new.label_space),
    }
