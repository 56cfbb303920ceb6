"""The models of a stream: the one that runs, the one that it may go back to, and the way another one comes in."""

import os
import threading
from dataclasses import dataclass

from ..errors import UsageError
from ..events import OnEvent
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
        self.loading = threading.Lock()  # one at a time
        self._on_event = on_event

    def load(self, path: str | os.PathLike[str], sha256: str | None) -> Model:
        """Opens another file beside the running one, on the same provider with the same options.

        Raises:
            UsageError: it takes other frames or gives other labels.
            ModelFileError, DeviceError: as a Segmenter's constructor.
        """
        now = self.current.segmenter
        segmenter = Segmenter(path, now.provider, options=now.options, sha256=sha256, on_event=self._on_event)
        for name, (old, new) in _door(now.spec, segmenter.spec).items():
            if old != new:
                segmenter.close()
                raise UsageError(
                    f"{path}: expected a file with {name} {old}, as the running {now.where} has, got {new}; "
                    "make a new Stream for it"
                )
        return Model(segmenter=segmenter, plausibility=Plausibility(segmenter.spec), own=True)

    def switch(self, model: Model) -> Model | None:
        """Makes it the one that runs; returns the one that nobody needs any more."""
        unneeded, self.previous, self.current = self.previous, self.current, model
        return unneeded

    def go_back(self) -> Model | None:
        """Makes the one before it run again; returns the newer one, None where there is none before it."""
        if self.previous is None:
            return None
        newer, self.current, self.previous = self.current, self.previous, None
        return newer


def _door(old: ModelSpec, new: ModelSpec) -> dict[str, tuple[object, object]]:
    return {
        "layout": (old.layout, new.layout),
        "frames": (list(old.frame_shape), list(new.frame_shape)),
        "labels": (list(old.labels_shape), list(new.labels_shape)),
        "classes": (list(old.classes), list(new.classes)),
        "batch": (old.batch, new.batch),
    }
