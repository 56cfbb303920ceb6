"""A session with its input and output bound once, to buffers that live as long as it does."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from .model_file import INPUT_NAME, OUTPUT_NAME

# providers whose input lives in their device's own memory, and ONNX Runtime's name of that memory
_DEVICE_MEMORY = {"cuda": "cuda", "tensorrt": "cuda", "tensorrt-rtx": "cuda"}


class BoundSession:
    """Runs one frame at a time through buffers that are allocated and bound once. Not safe from several threads."""

    def __init__(self, session: Any, provider: str, height_px: int, width_px: int) -> None:  # noqa: ANN401
        """Allocates the buffers and binds them.

        Args:
            session: ONNX Runtime's session of a checked model file.
            provider: the name of the provider that it runs on.
            height_px: the frame's height.
            width_px: the frame's width.

        Raises:
            One of engine.ENGINE_ERRORS: the device has no memory for them.
        """
        self._session = session
        self._frame = np.zeros((1, height_px, width_px, 3), np.uint8)
        self._labels = np.zeros((1, height_px, width_px), np.uint8)
        self._device = _DEVICE_MEMORY.get(provider)
        # over numpy's own memory on the CPU; a copy in the device's memory elsewhere
        self._input = onnxruntime.OrtValue.ortvalue_from_numpy(self._frame, self._device or "cpu", 0)
        self._output = onnxruntime.OrtValue.ortvalue_from_numpy(self._labels)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT_NAME, self._input)
        self._binding.bind_ortvalue_output(OUTPUT_NAME, self._output)
        self._rebind = provider != "cpu" and self._device is None

    def run(self, frame: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
        """Copies the frame in, runs the graph, copies the labels out; `out` stays as it is where the run fails.

        Args:
            frame: uint8 RGB [H, W, 3], any strides.
            out: uint8 [H, W]; becomes the labels.

        Raises:
            One of engine.ENGINE_ERRORS: the engine or its device failed.
        """
        np.copyto(self._frame[0], frame)
        if self._device is not None:
            self._input.update_inplace(self._frame)
        elif self._rebind:
            # binding copies to wherever the provider wants its input; bound once, each run would see the first frame
            self._binding.bind_ortvalue_input(INPUT_NAME, self._input)
        self._session.run_with_iobinding(self._binding)  # unlike run(), never changes the provider after a failure
        np.copyto(out, self._labels[0])
