"""A session on CUDA, bound to fixed addresses, run on a stream of its own, as a CUDA graph where it can be.

A frame goes: caller's array -> pinned memory -> device -> graph -> device -> pinned memory -> caller's array. All that
happens between the two pinned buffers is put on one stream and waited for once.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..errors import DeviceError
from ..model_file import CONFIDENCE_NAME, INPUT_NAME, OUTPUT_NAME
from ..spec import ModelSpec
from . import cudart
from .cuda_thread import CudaThread
from .failures import is_lost
from .session import ENGINE_ERRORS, OwnStream, message_of

Frame = npt.NDArray[np.uint8]

CAPTURED = "captured"
# ids of ONNX Runtime's run option "gpu_graph_id": -1 neither captures nor replays
_PLAIN, _GRAPH = "-1", "1"


class CudaBoundSession:
    """Runs one frame (or batch) at a time, always in one thread of its own. Not safe from several threads.

    Attributes:
        cuda_graph: "captured" where runs replay a CUDA graph, "off" where the options say so, else why it is not used.
    """

    def __init__(self, session: Any, spec: ModelSpec, device_id: int) -> None:  # noqa: ANN401
        """Allocates the buffers, binds them, and captures the graph.

        Args:
            session: ONNX Runtime's session of a checked model file, that `new_session` opened on CUDA with options.
            spec: the file's.
            device_id: the GPU that it is on.

        Raises:
            DeviceError: the captured graph answers otherwise than the plain path.
            One of ENGINE_ERRORS: the device failed, or has no memory for the buffers.
        """
        self._thread = CudaThread("segtool-cuda")
        self._passage = self._thread.call(_Passage, session, spec, device_id)
        self.cuda_graph = self._thread.call(self._passage.capture, session.segtool_cuda)
        answers = self._passage.answers
        self._answers = answers if spec.batch > 1 else [answer[0] for answer in answers]

    def run(self, frame: Frame, *outs: Frame) -> None:
        """Copies the frame in, runs the graph, copies the answers out; `outs` stay as they are where the run fails.

        Args:
            frame: uint8 of the spec's frame_shape, any strides; [batch, *frame_shape] for batches over 1.
            outs: uint8 [H, W] of the spec's labels_shape, or [batch, H, W]: becomes the labels; where the file has
                that output, a second one becomes the confidence.

        Raises:
            One of ENGINE_ERRORS: the engine or its device failed.
        """
        self._thread.call(self._passage.run, frame)
        for out, answer in zip(outs, self._answers, strict=True):
            np.copyto(out, answer)


class _Passage:
    """A frame's way through the device. Made and used in one thread."""

    def __init__(self, session: Any, spec: ModelSpec, device_id: int) -> None:  # noqa: ANN401
        cudart.set_device(device_id)
        names = (OUTPUT_NAME,) if spec.confidence is None else (OUTPUT_NAME, CONFIDENCE_NAME)
        self._frame = cudart.pinned((spec.batch, *spec.frame_shape))
        self._frame_in = self._frame if spec.batch > 1 else self._frame[0]
        self.answers = [cudart.pinned((spec.batch, *spec.labels_shape)) for _ in names]
        self._input = _on_device(self._frame, device_id)
        self._outputs = [_on_device(answer, device_id) for answer in self.answers]
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT_NAME, self._input)
        for name, output in zip(names, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, output)
        self._session = session
        self._options = _run_options(_PLAIN)
        self._stream: cudart.Stream = session.segtool_cuda.stream  # last, so that it outlives the session

    def run(self, frame: Frame) -> None:
        """The answers to the frame stand in `answers` afterwards."""
        np.copyto(self._frame_in, frame)
        self._pass_through(self._options)

    def capture(self, asked: OwnStream) -> str:
        """Captures the graph, where the session was opened for it, and proves it against the plain path.

        Returns:
            What `cuda_graph` says.
        """
        if asked.graph_refused is not None:
            return asked.graph_refused
        graph = _run_options(_GRAPH)
        frames = _unlike_frames(self._frame_in.shape)
        expected = [self._answers_to(frame, self._options) for frame in frames]
        try:
            got = [self._answers_to(frame, graph) for frame in frames]
        except ENGINE_ERRORS as error:
            if is_lost(error):
                raise
            return f"refused at the capture: {message_of(error)}"
        for number, (right, replayed) in enumerate(zip(expected, got, strict=True)):
            if not np.array_equal(right, replayed):
                differ = int(np.count_nonzero(right != replayed))
                raise DeviceError(
                    f"CUDA graph: expected the bytes of the plain path, got {differ} others for test frame {number}; "
                    "open it with EngineOptions(cuda_graph=False), and report the versions of driver and ONNX Runtime"
                )
        self._options = graph
        return CAPTURED

    def _answers_to(self, frame: Frame, options: Any) -> Frame:  # noqa: ANN401
        np.copyto(self._frame_in, frame)
        self._pass_through(options)
        return np.stack(self.answers)

    def _pass_through(self, options: Any) -> None:  # noqa: ANN401
        try:
            self._stream.to_device(self._input.data_ptr(), self._frame)
            self._session.run_with_iobinding(self._binding, options)
            for answer, output in zip(self.answers, self._outputs, strict=True):
                self._stream.to_host(answer, output.data_ptr())
        except ENGINE_ERRORS as error:
            # What is under way must end before the buffers are used again. Where the device is lost, this says so in
            # CUDA's words, and cuDNN's or cuBLAS's, which do not, become its context.
            if not is_lost(error):  # which must not be hidden by what another call says of it
                self._stream.end_capture()  # CUDA refuses to wait while one is open
                self._stream.synchronise()
            raise
        self._stream.synchronise()


def _on_device(like: Frame, device_id: int) -> Any:  # noqa: ANN401
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(like.shape), np.uint8, "cuda", device_id)


def _run_options(graph_id: str) -> Any:  # noqa: ANN401
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", graph_id)
    # the copies of the answers come after on the same stream, and then one wait is for everything
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    return options


def _unlike_frames(shape: tuple[int, ...]) -> list[Frame]:
    """Dark, bright and noise: a graph that reads another frame than the one it is given shows itself."""
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise]
