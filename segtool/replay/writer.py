"""Results into files, in a thread of its own: the stream waits for no disk, and what can't be written is counted."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from runtime.stream import StreamResult
from segtool.replay.recording import Shot
from segtool.replay.sinks import Labelled, Sink
from trainer.data.images import resize_labels

WAITING = 16  # results in memory with their pictures, at most
FORGOTTEN_AFTER = 512  # frames later, a picture whose end was never told is let go


class ResultWriter:
    """Brings a stream's answers together with their pictures and hands both to the sinks.

    Attributes:
        written: frames that went into every sink.
        unwritten: answers that came faster than they could be written, and were left out.
        error: what ended the writing, if anything; later answers are left out too.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        """Starts the thread, where there is a sink."""
        self.written, self.unwritten = 0, 0
        self.error: Exception | None = None
        self._sinks = tuple(sinks)
        self._shown: dict[int, Shot] = {}  # by frame id, until the frame ends
        self._queue: queue.Queue[Labelled | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="segtool-writer", daemon=True)
        if self._sinks:
            self._thread.start()

    def expect(self, frame_id: int, shot: Shot) -> None:
        """Notes a frame's picture before it is submitted."""
        if self._sinks:
            self._shown[frame_id] = shot
            self._shown.pop(frame_id - FORGOTTEN_AFTER, None)

    def take(self, result: StreamResult) -> None:
        """Takes a frame's end; returns at once."""
        shot = self._shown.pop(result.frame_id, None)
        if shot is None or shot.image_hwc is None or result.labels is None:
            return
        labelled = Labelled(index=result.frame_id, name=shot.name, image_hwc=shot.image_hwc, labels_hw=result.labels)
        try:
            self._queue.put_nowait(labelled)
        except queue.Full:
            self.unwritten += 1

    def close(self) -> None:
        """Waits until all that was taken is written."""
        if self._sinks:
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (labelled := self._queue.get()) is not None:
            if self.error is None:
                self._attempt(partial(self._add, labelled))
            else:
                self.unwritten += 1
        for sink in self._sinks:
            self._attempt(sink.close)

    def _add(self, labelled: Labelled) -> None:
        at_its_size_hw = resize_labels(labelled.labels_hw, *labelled.image_hwc.shape[:2])
        for sink in self._sinks:
            sink.add(replace(labelled, labels_hw=at_its_size_hw))
        self.written += 1

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # whoever started the replay raises it
            self.error = self.error or error
