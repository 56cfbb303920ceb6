from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.numerics.int8_speed import SpeedCheck, cpu_has_vnni, measure_speed
from runtime.errors import UsageError


def busy(sines: int) -> bytes:
    """A model that takes the sine of a quarter of a million numbers so many times."""
    nodes = [helper.make_node("Cast", ["image"], ["v0"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Sin", [f"v{i}"], [f"v{i + 1}"]) for i in range(sines)]
    nodes.append(helper.make_node("Cast", [f"v{sines}"], ["labels"], to=TensorProto.UINT8))
    shape = [1, 512, 512]
    graph = helper.make_graph(
        nodes,
        "busy",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def test_measure_speed_tells_the_faster_file() -> None:
    frame = np.zeros((512, 512), np.uint8)
    check = measure_speed(busy(16), busy(1), frame, rounds=3, runs=3)
    assert check.fp32_ms > 2 * check.int8_ms > 0
    assert check.times_faster == pytest.approx(check.fp32_ms / check.int8_ms)
    assert (check.rounds, check.runs, check.threads) == (3, 3, 1)
    assert check.refusal is None
    assert check.record() == {**vars(check), "times_faster": check.times_faster}


def test_measure_speed_slower_file_is_refused_with_the_figures() -> None:
    check = measure_speed(busy(1), busy(16), np.zeros((512, 512), np.uint8), rounds=3, runs=3)
    assert f"got {check.int8_ms:.2f} ms against {check.fp32_ms:.2f} ms with 1 threads" in str(check.refusal)


@pytest.mark.parametrize("int8_ms", [5.0, float("nan")])
def test_refusal_of_what_is_not_faster_not_even_equal_or_nan(int8_ms: float) -> None:
    check = SpeedCheck(fp32_ms=5.0, int8_ms=int8_ms, threads=None, rounds=1, runs=1)
    assert f"{int8_ms:.2f} ms against 5.00 ms with all threads" in str(check.refusal)


@pytest.mark.parametrize(("rounds", "runs"), [(0, 1), (1, 0)])
def test_measure_speed_nothing_to_measure_is_refused(rounds: int, runs: int) -> None:
    with pytest.raises(UsageError, match=f"got {rounds} and {runs}"):
        measure_speed(b"", b"", np.zeros(1, np.uint8), rounds=rounds, runs=runs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\nprocessor\t: 1\nflags\t\t: avx512_vnni\n", True),
        ("flags\t\t: fpu avx_vnni\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("flags\t\t: avx_vnni\nflags\t\t: fpu avx2\n", False),  # one kind of core without it
        ("flags\t\t: avx_vnni_int8_like\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", None),  # ARM
        ("", None),
    ],
)
def test_cpu_has_vnni_reads_linux_flags(text: str, expected: bool | None, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert cpu_has_vnni(path) is expected


def test_cpu_has_vnni_without_the_file_is_unknown(tmp_path: Path) -> None:
    assert cpu_has_vnni(tmp_path / "none") is None
