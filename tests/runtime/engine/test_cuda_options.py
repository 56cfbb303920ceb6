import pytest

from runtime.engine.cuda_options import cuda_options
from runtime.options import EngineOptions

# names of https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html that ONNX Runtime 1.20 has
KNOWN_TO_1_20 = {
    "device_id",
    "user_compute_stream",
    "do_copy_in_default_stream",
    "use_ep_level_unified_stream",
    "gpu_mem_limit",
    "arena_extend_strategy",
    "cudnn_conv_algo_search",
    "cudnn_conv_use_max_workspace",
    "cudnn_conv1d_pad_to_nc1d",
    "enable_cuda_graph",
    "enable_skip_layer_norm_strict_mode",
    "use_tf32",
    "prefer_nhwc",
    "fuse_conv_bias",
}


def test_cuda_options_of_the_defaults() -> None:
    assert cuda_options(EngineOptions(), 77, graph=True) == {
        "device_id": "0",
        "user_compute_stream": "77",
        "do_copy_in_default_stream": "1",
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "use_tf32": "0",
        "prefer_nhwc": "0",
        "enable_cuda_graph": "1",
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"device_id": 3}, {"device_id": "3"}),
        ({"nhwc": True}, {"prefer_nhwc": "1"}),
        ({"gpu_mem_limit_mb": 512}, {"gpu_mem_limit": "512000000", "arena_extend_strategy": "kSameAsRequested"}),
    ],
)
def test_cuda_options_of_an_engine_option(changed: dict[str, object], expected: dict[str, str]) -> None:
    plain, found = (cuda_options(EngineOptions(**change), 77, graph=False) for change in ({}, changed))
    assert found == plain | expected
    assert set(found) <= KNOWN_TO_1_20


def test_cuda_options_without_a_graph() -> None:
    assert cuda_options(EngineOptions(), 77, graph=False)["enable_cuda_graph"] == "0"
