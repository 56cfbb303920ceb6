"""R10: no outside data, no custom operators; R25: quiet after the start. Both watched by strace, from outside."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import ModelFileError
from runtime.model_file import check_model_bytes

REPOSITORY = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("traced_child.py")
CALLS = (
    "%file,%network,%process,open_by_handle_at,memfd_create,pipe2,eventfd2,epoll_create1,timerfd_create,inotify_init1"
)
ForceSeal = Callable[[bytes], bytes]
Plant = Callable[[onnx.ModelProto], None]


def traced(folder: Path, *arguments: object) -> tuple[list[str], list[str]]:
    """What the child printed, and its calls of the system between the marks, those of its threads too."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    record = folder / "strace.txt"
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-e",
            f"trace={CALLS}",
            "-e",
            "signal=none",
            "-o",
            str(record),
            sys.executable,
            str(CHILD),
        ]
        + [str(argument) for argument in arguments],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=280,
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr[-2000:]
    lines = record.read_text().splitlines()
    begin, end = (
        next(number for number, line in enumerate(lines) if f"/mark/of/{name}" in line) for name in ("begin", "end")
    )
    return done.stdout.splitlines(), lines[begin + 1 : end]


def external(tensor: TensorProto, location: str) -> None:
    """Has a tensor keep its values in another file, as ONNX does it."""
    length = len(numpy_helper.to_array(tensor).tobytes())
    for name in ("raw_data", "float_data", "int32_data", "int64_data"):
        tensor.ClearField(name)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def weight_of(model: onnx.ModelProto) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == "weight")


def in_an_initialiser(location: str) -> Plant:
    return lambda model: external(weight_of(model), location)


def said_without_the_flag(model: onnx.ModelProto) -> None:
    external(weight_of(model), "weights.bin")
    weight_of(model).ClearField("data_location")


def flag_without_a_place(model: onnx.ModelProto) -> None:
    weight_of(model).data_location = TensorProto.EXTERNAL


def in_a_constant(model: onnx.ModelProto) -> None:
    tensor = TensorProto()
    tensor.CopyFrom(weight_of(model))
    external(tensor, "weights.bin")
    model.graph.initializer.remove(weight_of(model))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["weight"], "constant", value=tensor))


def in_a_list_of_tensors(model: onnx.ModelProto) -> None:
    tensor = TensorProto()
    tensor.CopyFrom(weight_of(model))
    external(tensor, "weights.bin")
    model.graph.node[0].attribute.append(helper.make_attribute("several", [tensor]))


def in_a_sparse_initialiser(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(3, np.float32), "sparse")
    indices = numpy_helper.from_array(np.arange(3, dtype=np.int64), "places")
    external(values, "weights.bin")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [5]))


def in_a_branch(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "deep")
    external(tensor, "weights.bin")
    out = helper.make_tensor_value_info("deep", TensorProto.FLOAT, [3])
    branch = helper.make_graph([helper.make_node("Identity", ["deep"], ["o"])], "branch", [], [out], [tensor])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    node = helper.make_node("If", ["always"], ["unused"], "if", then_branch=branch, else_branch=branch)
    model.graph.node.append(node)


def operator_of(domain: str, op_type: str = "Mystery", *, imported: bool = True, **attributes: object) -> Plant:
    def plant(model: onnx.ModelProto) -> None:
        node = helper.make_node(op_type, ["image"], ["unused"], "planted", domain=domain, **attributes)
        model.graph.node.append(node)
        if imported:
            model.opset_import.append(helper.make_opsetid(domain, 1))

    return plant


def function(model: onnx.ModelProto) -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], [identity], [helper.make_opsetid("", 18)]))
    operator_of("own", "F")(model)


def training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.CopyFrom(model.graph)


def loop(model: onnx.ModelProto) -> None:
    """The labels wait for 2**62 rounds of a loop."""
    ends = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "goes")]
    count = helper.make_tensor_value_info("round", TensorProto.INT64, [])
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["goes"])], "body", [count, ends[0]], [ends[1]])
    model.graph.initializer.append(numpy_helper.from_array(np.array(1 << 62), "rounds"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.node.append(helper.make_node("Loop", ["rounds", "always"], [], "loop", body=body))


FOREIGN: dict[str, Plant] = {
    "relative": in_an_initialiser("weights.bin"),
    "in a folder below": in_an_initialiser("below/weights.bin"),
    "upwards": in_an_initialiser("../outside.bin"),
    "hard link": in_an_initialiser("hard.bin"),
    "symbolic link": in_an_initialiser("symbolic.bin"),
    "in memory": in_an_initialiser("*/_ORT_MEM_ADDR_/*"),
    "device": in_an_initialiser("/dev/zero"),
    "not said by the flag": said_without_the_flag,
    "the flag alone": flag_without_a_place,
    "constant": in_a_constant,
    "list of tensors": in_a_list_of_tensors,
    "sparse": in_a_sparse_initialiser,
    "branch": in_a_branch,
    "custom domain": operator_of("car.vendor"),
    "custom domain without import": operator_of("car.vendor", imported=False),
    "contrib": operator_of("com.microsoft", "Gelu"),
    "machine learning": operator_of("ai.onnx.ml", "Binarizer"),
    "training domain": operator_of("ai.onnx.preview.training", "Adam"),
    "compiled context": operator_of(
        "com.microsoft", "EPContext", embed_mode=0, ep_cache_context="context.bin", main_context=1
    ),
    "import alone": lambda model: model.opset_import.append(helper.make_opsetid("car.vendor", 1)),
    "function": function,
    "training": training,
    "loop": loop,
}


@pytest.fixture
def foreign(tmp_path: Path, make_proto, force_seal: ForceSeal) -> dict[str, Path]:
    """A file of each kind, in a folder with what they point at."""
    folder = tmp_path / "files"
    (folder / "below").mkdir(parents=True)
    weights = numpy_helper.to_array(weight_of(make_proto())).tobytes()
    outside = tmp_path / "outside.bin"
    for path in (outside, folder / "weights.bin", folder / "below" / "weights.bin", folder / "context.bin"):
        path.write_bytes(weights)
    (folder / "hard.bin").hardlink_to(outside)
    (folder / "symbolic.bin").symlink_to(outside)
    plants = {**FOREIGN, "absolute": in_an_initialiser(str(outside)), "none": lambda _: None}
    paths = {name: folder / f"{name.replace(' ', '_')}.onnx" for name in plants}
    for name, plant in plants.items():
        model = make_proto()
        plant(model)
        paths[name].write_bytes(force_seal(model.SerializeToString()))
    return paths


def data_opened(calls: list[str]) -> set[str]:
    """Which of the files that a model points at were opened: they alone end in .bin, and the device."""
    opened = (re.search(r'open(?:at2?|_by_handle_at)?\(.*"([^"]*(?:\.bin|/dev/zero))"', call) for call in calls)
    return {Path(match[1]).name for match in opened if match}


def test_foreign_parts_of_every_kind_are_refused_by_name(foreign: dict[str, Path]) -> None:
    check_model_bytes(foreign.pop("none").read_bytes(), "file")
    refused = r"file: expected (all weights|a plain graph|a graph without|ONNX's own)"
    for path in foreign.values():
        with pytest.raises(ModelFileError, match=refused):
            check_model_bytes(path.read_bytes(), "file")


def test_foreign_parts_are_refused_and_no_outside_file_is_opened(foreign: dict[str, Path], tmp_path: Path) -> None:
    told, calls = traced(tmp_path, "segtool", *foreign.values())
    assert [line for line in told if not line.startswith("ModelFileError ")] == [f"loaded {foreign['none']}"]
    assert len(told) == len(FOREIGN) + 2
    assert data_opened(calls) == set()


def test_stock_onnxruntime_opens_outside_files_so_strace_would_have_shown_it(
    foreign: dict[str, Path], tmp_path: Path
) -> None:
    told, calls = traced(tmp_path, "onnxruntime", *(foreign[name] for name in ("relative", "hard link", "none")))
    assert f"loaded {foreign['relative']}" in told
    assert "weights.bin" in data_opened(calls)


def test_thousand_frames_open_no_file_socket_or_thread(tiny_model_path: Path, tmp_path: Path) -> None:
    _, calls = traced(tmp_path, "frames", tiny_model_path, 1000)
    assert calls == []


def test_a_file_opened_on_the_way_is_seen(tiny_model_path: Path, tmp_path: Path) -> None:
    _, calls = traced(tmp_path, "planted", tiny_model_path, 10)
    assert any("model.onnx" in call for call in calls)
