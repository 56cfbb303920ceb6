"""A session with its input and outputs bound once, to buffers that live as long as it does."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..model_file import CONFIDENCE_NAME, INPUT_NAME, OUTPUT_NAME
from ..options import EngineOptions
from ..spec import ModelSpec
from .cuda_binding import CudaBoundSession

# providers whose input lives in their device's own memory, and ONNX Runtime's name of that memory
_DEVICE_MEMORY = {"cuda": "cuda", "tensorrt": "cuda", "tensorrt-rtx": "cuda"}


def open_engine(
    session: Any,  # noqa: ANN401  # onnxruntime has no types
    provider: str,
    spec: ModelSpec,
    options: EngineOptions,
) -> "BoundSession | CudaBoundSession":
    """Binds a session to buffers of its own.

    Args:
        session: ONNX Runtime's session of a checked model file, from `open_session`.
        provider: the name of the provider that it runs on.
        spec: the file's.
        options: that it was opened with.

    Raises:
        DeviceError: a captured CUDA graph answers otherwise than the plain path.
        One of ENGINE_ERRORS: the device failed, or has no memory for the buffers.
    """
    if provider == "cuda" and hasattr(session, "segtool_cuda"):
        return CudaBoundSession(session, spec, options.device_id)
    return BoundSession(session, provider, spec, options.device_id)


class BoundSession:
    """Runs one frame (or batch) at a time through buffers allocated and bound once. Not safe from several threads."""

    cuda_graph = "off"  # whether a CUDA graph is used, as CudaBoundSession says it

    def __init__(self, session: Any, provider: str, spec: ModelSpec, device_id: int = 0) -> None:  # noqa: ANN401
        """Allocates the buffers and binds them.

        Args:
            session: ONNX Runtime's session of a checked model file.
            provider: the name of the provider that it runs on.
            spec: the file's.
            device_id: which device of that provider, from 0.

        Raises:
            One of engine.ENGINE_ERRORS: the device has no memory for them.
        """
        self._session = session
        self._frame = np.zeros((spec.batch, *spec.frame_shape), np.uint8)
        names = (OUTPUT_NAME,) if spec.confidence is None else (OUTPUT_NAME, CONFIDENCE_NAME)
        answers = [np.zeros((spec.batch, *spec.labels_shape), np.uint8) for _ in names]
        self._device = _DEVICE_MEMORY.get(provider)
        # over numpy's own memory on the CPU; a copy in the device's memory elsewhere
        self._input = onnxruntime.OrtValue.ortvalue_from_numpy(
            self._frame, self._device or "cpu", device_id if self._device else 0
        )
        self._outputs = [onnxruntime.OrtValue.ortvalue_from_numpy(answer) for answer in answers]
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT_NAME, self._input)
        for name, output in zip(names, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, output)
        self._rebind = provider != "cpu" and self._device is None
        # without the axis of the batch where it is 1, as callers have it
        self._frame_in = self._frame if spec.batch > 1 else self._frame[0]
        self._answers = answers if spec.batch > 1 else [answer[0] for answer in answers]

    def run(self, frame: npt.NDArray[np.uint8], *outs: npt.NDArray[np.uint8]) -> None:
        """Copies the frame in, runs the graph, copies the answers out; `outs` stay as they are where the run fails.

        Args:
            frame: uint8 of the spec's frame_shape, any strides; [batch, *frame_shape] for batches over 1.
            outs: uint8 [H, W] of the spec's labels_shape, or [batch, H, W]: becomes the labels; where the file has
                that output, a second one becomes the confidence.

        Raises:
            One of engine.ENGINE_ERRORS: the engine or its device failed.
        """
        np.copyto(self._frame_in, frame)
        if self._device is not None:
            self._input.update_inplace(self._frame)
        elif self._rebind:
            # binding copies to wherever the provider wants its input; bound once, each run would see the first frame
            self._binding.bind_ortvalue_input(INPUT_NAME, self._input)
        self._session.run_with_iobinding(self._binding)  # unlike run(), never changes the provider after a failure
        for out, answer in zip(outs, self._answers, strict=True):
            np.copyto(out, answer)
