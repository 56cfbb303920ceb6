"""Engines that read ONNX files, each opened as its documentation says; its package is imported only then.

Labels come out of `label` in arrays of the engine's own or new ones, whichever is faster for it.
"""

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.job import Job, Opened
from runtime.frames import answer_shape
from runtime.options import EngineOptions


def open_ours(job: Job) -> Opened:
    """Opens segtool's own Segmenter, as an embedding program does: labels into a buffer that is used again."""
    from runtime.engine.session import VERSION
    from runtime.segmenter import Segmenter

    segmenter = Segmenter(job.file, job.provider, options=EngineOptions(threads=job.threads))
    out_hw = np.empty(answer_shape(segmenter.spec), np.uint8)

    def label(frame_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
        segmenter.segment(frame_hwc, out_hw)
        return out_hw

    return Opened(label=label, version=f"onnxruntime {VERSION}")


def open_plain_onnxruntime(job: Job) -> Opened:
    """Opens ONNX Runtime as its tutorials do: numpy before and after, float input, default options but for threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    on_gpu = job.provider != "cpu"
    providers = (["CUDAExecutionProvider"] if on_gpu else []) + ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(job.require("network_file")), options, providers=providers)
    if session.get_providers() != providers:
        raise RuntimeError(f"expected ONNX Runtime to open {providers[0]}, got {session.get_providers()}")
    name = session.get_inputs()[0].name
    mean, std = np.array(job.mean, np.float32), np.array(job.std, np.float32)

    def label(frame_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
        normalised_hwc = (frame_hwc.astype(np.float32) / 255.0 - mean) / std
        (logits_nchw,) = session.run(None, {name: normalised_hwc.transpose(2, 0, 1)[None]})
        labels_hw: NDArray[np.uint8] = logits_nchw[0].argmax(axis=0).astype(np.uint8)
        return labels_hw

    return Opened(
        label=label,
        version=onnxruntime.__version__,
        note="numpy normalisation, float32 input, session.run, numpy argmax",
    )


def open_openvino_float32(job: Job) -> Opened:
    """Opens OpenVINO on the float32 file, told to compute in float32."""
    return _open_openvino(job, job.require("float_file").as_posix(), {"INFERENCE_PRECISION_HINT": "f32"})


def open_openvino(job: Job) -> Opened:
    """Opens OpenVINO on the float32 file, with the precision that it chooses itself: bfloat16 where the CPU has it."""
    return _open_openvino(job, job.require("float_file").as_posix(), {})


def open_openvino_same_file(job: Job) -> Opened:
    """Opens OpenVINO on the compared file itself, quantised as it is."""
    return _open_openvino(job, job.file.as_posix(), {})


def _open_openvino(job: Job, path: str, settings: dict[str, str]) -> Opened:
    import openvino

    wanted = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": job.threads, **settings}
    compiled = openvino.Core().compile_model(path, "CPU", wanted)
    request = compiled.create_infer_request()

    def label(frame_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
        answer = request.infer({0: frame_hwc[None]}, share_inputs=True, share_outputs=True)
        labels_hw: NDArray[np.uint8] = answer[0][0]
        return labels_hw

    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    note = f"latency hint; what is not quantised is computed in {precision}"
    return Opened(label=label, version=version("openvino"), note=note)
