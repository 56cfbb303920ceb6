"""EngineOptions as the options of ONNX Runtime's CUDA provider. All of them are known to ONNX Runtime 1.20."""

from ..options import EngineOptions

# With TF32, the provider's default, convolutions keep 10 bits of each mantissa, and a file proven in fp32 would not
# answer as proven. Who wants speed exports fp16. (From NVIDIA's and ONNX Runtime's documentation; not measured here.)
FLOAT32_IS_FLOAT32 = {"use_tf32": "0"}


def cuda_options(engine: EngineOptions, stream: int, *, graph: bool) -> dict[str, str]:
    """The provider's options, as ONNX Runtime wants them: names and values in text.

    Args:
        engine: the integrator's.
        stream: address of the CUDA stream that everything is to run on.
        graph: have runs captured as a CUDA graph.

    Sources: https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html, and
    cuda_execution_provider_info.cc of ONNX Runtime, which refuses names that it does not know.
    """
    options = {
        "device_id": str(engine.device_id),
        "user_compute_stream": str(stream),
        # copies on that stream too: ONNX Runtime's documentation warns of races otherwise
        "do_copy_in_default_stream": "1",
        # Times every algorithm of cuDNN for each convolution at the first run and keeps the fastest. Frames have one
        # size and the first run belongs to the start, so it is paid once. The default today, and not left to be one.
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        **FLOAT32_IS_FLOAT32,
        "prefer_nhwc": str(int(engine.nhwc)),
        "enable_cuda_graph": str(int(graph)),
    }
    if engine.gpu_mem_limit_mb is not None:
        options["gpu_mem_limit"] = str(engine.gpu_mem_limit_mb * 10**6)
        # grown to powers of two, the default, the arena would meet the limit at little over half of it
        options["arena_extend_strategy"] = "kSameAsRequested"
    return options
