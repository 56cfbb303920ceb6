"""TensorRT by its own Python package, on the float32 file, allowed to compute in half precision."""

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.job import Job, Opened


def open_tensorrt(job: Job) -> Opened:
    """Builds an engine with TensorRT's defaults and fp16 allowed, and runs it between pinned buffers of torch.

    Raises:
        RuntimeError: TensorRT does not read or build the file.
    """
    import tensorrt
    import torch

    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(job.require("float_file").read_bytes()):
        raise RuntimeError(f"TensorRT does not read the file: {parser.get_error(0)}")
    config = builder.create_builder_config()
    config.set_flag(tensorrt.BuilderFlag.FP16)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError("TensorRT built no engine")
    engine = tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
    context = engine.create_execution_context()
    stream = torch.cuda.Stream()
    sent, answered = (
        torch.empty(tuple(engine.get_tensor_shape(name)), dtype=torch.uint8, pin_memory=True)
        for name in ("image", "labels")
    )
    image, labels = sent.cuda(), answered.cuda()
    torch.cuda.synchronize()
    context.set_tensor_address("image", image.data_ptr())
    context.set_tensor_address("labels", labels.data_ptr())

    def label(frame_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
        sent.numpy()[0] = frame_hwc
        with torch.cuda.stream(stream):
            image.copy_(sent, non_blocking=True)
            context.execute_async_v3(stream.cuda_stream)
            answered.copy_(labels, non_blocking=True)
        stream.synchronize()
        labels_hw: NDArray[np.uint8] = answered.numpy()[0]
        return labels_hw

    return Opened(label=label, version=version("tensorrt"), note="default builder settings, fp16 allowed")
