import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import ModelFileError
from runtime.onnx_file import NodeInfo, TensorInfo, read_structure

NAN = numpy_helper.from_array(np.array([1, np.nan], np.float32), "bad")


def model_of(*nodes: onnx.NodeProto, **parts: object) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [], [], **parts)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


SPARSE = helper.make_sparse_tensor(NAN, numpy_helper.from_array(np.array([1, 2])), [9])


def structure_of(model: onnx.ModelProto):
    return read_structure(model.SerializeToString(), "file.onnx")


def nest(depth: int) -> onnx.ModelProto:
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "leaf", [], [])
    for level in range(depth):
        node = helper.make_node("If", ["c"], ["d"], f"if{level}", then_branch=graph)
        graph = helper.make_graph([node], f"g{level}", [], [])
    return helper.make_model(graph)


def test_read_structure_of_the_tiny_model_is_what_onnx_wrote(make_proto) -> None:
    model = make_proto()
    found = structure_of(model)
    assert found.ir_version == 10
    assert found.opsets == {"": 18}
    assert found.inputs == (TensorInfo("image", TensorProto.UINT8, (1, 24, 32, 3)),)
    assert found.outputs == (TensorInfo("labels", TensorProto.UINT8, (1, 24, 32)),)
    assert found.metadata == tuple((entry.key, entry.value) for entry in model.metadata_props)
    assert [(node.op_type, node.name) for node in found.nodes] == [(n.op_type, n.name) for n in model.graph.node]
    assert [(info.name, info.elem_type, info.dims) for info in found.initializers] == [
        (tensor.name, tensor.data_type, tuple(tensor.dims)) for tensor in model.graph.initializer
    ]
    assert [info.bytes_len for info in found.initializers] == [
        numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer
    ]
    assert found.local_code == ()


def test_read_structure_free_axes_and_other_types_are_told() -> None:
    graph = helper.make_graph(
        [],
        "g",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 3, None]),
            helper.make_tensor_sequence_value_info("b", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("c", TensorProto.FLOAT, None),
            onnx.ValueInfoProto(name="d"),
        ],
        [],
    )
    assert structure_of(helper.make_model(graph)).inputs == (
        TensorInfo("a", 1, ("N", 3, None)),
        TensorInfo("b", 0, ()),
        TensorInfo("c", 1, ()),
        TensorInfo("d", 0, ()),
    )


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (model_of(initializer=[NAN]), "bad"),
        (model_of(sparse_initializer=[SPARSE]), "bad"),
        (model_of(helper.make_node("Constant", [], ["c"], "c", value=NAN)), "c.value"),
        (model_of(helper.make_node("Constant", [], ["c"], value=NAN)), "Constant.value"),
        (model_of(helper.make_node("X", [], ["c"], "x", several=[NAN])), "x.several[0]"),
        (model_of(helper.make_node("If", ["c"], ["d"], then_branch=model_of(initializer=[NAN]).graph)), "bad"),
        (model_of(helper.make_node("If", ["c"], ["d"], both=[model_of(initializer=[NAN]).graph])), "bad"),
        (model_of(helper.make_node("Constant", [], ["c"], "c", sparse_value=SPARSE)), "c.sparse_value"),
    ],
)
def test_read_structure_nan_wherever_a_tensor_can_stand_is_found(model: onnx.ModelProto, name: str) -> None:
    assert name in [tensor.name for tensor in structure_of(model).initializers if not tensor.finite]


@pytest.mark.parametrize("attribute", [{"value_float": float("inf")}, {"value_floats": [1.0, float("nan")]}])
def test_read_structure_float_attribute_not_finite_is_told_of_the_node(attribute: dict) -> None:
    (node,) = structure_of(model_of(helper.make_node("Constant", [], ["c"], "c", **attribute))).nodes
    assert node == NodeInfo("Constant", "", "c", finite=False, outputs=("c",))


def test_read_structure_nodes_tell_what_they_take_and_give() -> None:
    (node,) = structure_of(model_of(helper.make_node("Clip", ["x", "", "high"], ["y"], "clip"))).nodes
    assert node == NodeInfo("Clip", "", "clip", inputs=("x", "", "high"), outputs=("y",))


def test_read_structure_domains_are_told_and_the_two_names_of_onnx_are_one() -> None:
    model = model_of(
        helper.make_node("A", [], ["a"], domain="com.microsoft"), helper.make_node("B", [], ["b"], domain="ai.onnx")
    )
    assert [node.domain for node in structure_of(model).nodes] == ["com.microsoft", ""]


def test_read_structure_nodes_of_subgraphs_are_among_the_nodes() -> None:
    assert [node.op_type for node in structure_of(nest(3)).nodes] == ["If", "If", "If", "Identity"]


def test_read_structure_subgraphs_without_end_stop_at_the_cap() -> None:
    with pytest.raises(ModelFileError, match="more than 40 messages deep"):
        structure_of(nest(14))


def test_read_structure_functions_and_training_parts_are_told() -> None:
    model = model_of()
    model.functions.add(name="f", domain="local")
    model.training_info.add()
    assert structure_of(model).local_code == ("functions", "training_info")


def test_read_structure_second_graph_is_refused() -> None:
    data = model_of().SerializeToString()
    twice = data + onnx.ModelProto(graph=model_of(initializer=[NAN]).graph).SerializeToString()
    assert onnx.load_from_string(twice).graph.initializer[0].name == "bad"  # protobuf would merge the two
    with pytest.raises(ModelFileError, match=r"file\.onnx: .*the model has field 7 2 times"):
        read_structure(twice, "file.onnx")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: m.ClearField("graph"), "the model has no graph"),
        (lambda m: m.opset_import.add(domain="ai.onnx", version=17), "two opset imports of domain ''"),
    ],
)
def test_read_structure_of_no_model_names_the_problem(change, problem: str) -> None:
    model = model_of()
    change(model)
    with pytest.raises(ModelFileError, match=problem):
        structure_of(model)


def test_read_structure_ambiguous_unions_are_refused() -> None:
    def with_type(type_bytes: bytes) -> bytes:
        value = b"\x0a\x01x" + b"\x12" + bytes([len(type_bytes)]) + type_bytes
        graph = b"\x5a" + bytes([len(value)]) + value
        return b"\x3a" + bytes([len(graph)]) + graph

    with pytest.raises(ModelFileError, match="a type has two kinds at once"):
        read_structure(with_type(b"\x0a\x00\x22\x00"), "file.onnx")
    axis = b"\x08\x05\x12\x01N"
    shape = b"\x0a" + bytes([len(axis)]) + axis
    tensor = b"\x08\x01\x12" + bytes([len(shape)]) + shape
    with pytest.raises(ModelFileError, match="an axis has both a length and a name"):
        read_structure(with_type(b"\x0a" + bytes([len(tensor)]) + tensor), "file.onnx")


def test_read_structure_of_a_large_model_is_quick() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], f"n{i}", pads=[1, 1, 1, 1], strides=[1, 1]) for i in range(3000)
    ]
    model = model_of(*nodes, initializer=[numpy_helper.from_array(np.zeros(4_000_000, np.float32), "w")])
    data = model.SerializeToString()
    started = time.perf_counter()
    assert len(read_structure(data, "file.onnx").nodes) == 3000
    assert time.perf_counter() - started < 5
