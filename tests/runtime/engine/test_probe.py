import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from runtime.engine.probe import probe_model, runs


def test_probe_model_is_what_the_onnx_package_writes() -> None:
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 1, 1], np.float32(-2).tobytes(), raw=True)],
    )
    expected = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    written = onnx.load_from_string(probe_model())
    onnx.checker.check_model(written, full_check=True)
    assert written == expected


def test_runs_on_the_cpu_is_true() -> None:
    assert runs(onnxruntime.InferenceSession(probe_model(), providers=["CPUExecutionProvider"]))


def test_runs_with_wrong_numbers_is_false() -> None:
    class Wrong:
        def run(self, _: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [feed["x"] * 2]

    assert not runs(Wrong())
