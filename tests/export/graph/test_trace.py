from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from export.graph.camera import plan_camera
from export.graph.deploy import Deploy
from export.graph.trace import finish, require_tidy, stage_names, trace, with_stages
from export.settings import ExportSettings
from runtime.errors import ModelFileError, SpecError
from runtime.golden import GOLDEN_KEY, pack_golden
from runtime.model_file import check_model_bytes
from runtime.spec import SPEC_KEY, ModelSpec
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise
from trainer.networks.unet import UNet, UNetConfig

SPEC = ModelSpec(
    label_space="test",
    classes=("a", "b", "c"),
    palette=((1, 2, 3), (4, 5, 6), (7, 8, 9)),
    height_px=16,
    width_px=24,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    precision="fp32",
    training={},
    producer={},
)
CAMERA = plan_camera(
    network_height_px=16, network_width_px=24, height_px=48, width_px=64, layout="nv12", crop=(3, 1, 53, 37)
)

GOLDEN = {"frames": 1, "source": "black", "agreement": {"*": 1.0}}


def network(up: str = "learned") -> UNet:
    torch.manual_seed(1)
    return UNet(UNetConfig(width=4, depth=2, up=up), 3).eval()


def graph(module: nn.Module | None = None, **settings) -> onnx.ModelProto:
    module = module if module is not None else network()
    return trace(Deploy(module, ExportSettings(**settings), 16, 24, mean=IMAGENET_MEAN, std=IMAGENET_STD))


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    return graph()


@pytest.fixture(scope="module")
def everything() -> onnx.ModelProto:
    """A camera in YUV, labels of its size, confidence, a batch of two, another way up in the network."""
    return graph(network("bilinear"), camera=CAMERA, labels_at="camera", confidence=True, batch=2)


@pytest.fixture(params=["plain", "everything"])
def each(request: pytest.FixtureRequest) -> onnx.ModelProto:
    return request.getfixturevalue(request.param)


def door(values) -> list[tuple[str, int, list[int]]]:
    return [
        (value.name, value.type.tensor_type.elem_type, [dim.dim_value for dim in value.type.tensor_type.shape.dim])
        for value in values
    ]


def test_trace_plain_keeps_the_contract(plain: onnx.ModelProto) -> None:
    assert door(plain.graph.input) == [("image", TensorProto.UINT8, [1, 16, 24, 3])]
    assert door(plain.graph.output) == [("labels", TensorProto.UINT8, [1, 16, 24])]
    assert stage_names(plain) == ("normalised", "logits")


def test_trace_everything_keeps_the_contract(everything: onnx.ModelProto) -> None:
    assert door(everything.graph.input) == [("image", TensorProto.UINT8, [2, 72, 64])]
    assert door(everything.graph.output) == [
        ("labels", TensorProto.UINT8, [2, 37, 53]),
        ("confidence", TensorProto.UINT8, [2, 37, 53]),
    ]
    assert stage_names(everything) == ("colour", "resized", "normalised", "logits")
    assert door(everything.graph.value_info) == [
        ("colour", TensorProto.FLOAT, [2, 37, 53, 3]),
        ("resized", TensorProto.FLOAT, [2, 3, 16, 24]),
        ("normalised", TensorProto.FLOAT, [2, 3, 16, 24]),
        ("logits", TensorProto.FLOAT, [2, 3, 16, 24]),
    ]


def test_trace_is_of_opset_18_in_one_domain_and_passes_the_checker(each: onnx.ModelProto) -> None:
    onnx.checker.check_model(each, full_check=True)
    assert [(opset.domain, opset.version) for opset in each.opset_import] == [("", 18)]
    assert each.ir_version <= 10
    assert len(each.functions) == 0


def test_trace_leaves_nothing_undone(each: onnx.ModelProto) -> None:
    kinds = Counter(node.op_type for node in each.graph.node)
    assert not {"BatchNormalization", "Identity", "Shape", "Tile", "Expand", "Constant", "GatherND"} & kinds.keys()
    made_by = {output: node.op_type for node in each.graph.node for output in node.output}
    assert [node.name for node in each.graph.node if node.op_type == "Cast" == made_by.get(node.input[0])] == []


def test_trace_plain_is_as_short_as_it_can_be(plain: onnx.ModelProto) -> None:
    kinds = [node.op_type for node in plain.graph.node]
    assert kinds[:6] == ["Cast", "Reshape", "Sub", "Mul", "Reshape", "Transpose"]
    assert kinds[-8:] == ["Abs", "LessOrEqual", "Cast", "ReduceMin", "Cast", "ArgMax", "Cast", "Where"]


def test_trace_confidence_shares_the_finite_check_of_the_labels() -> None:
    kinds = Counter(node.op_type for node in graph(confidence=True).graph.node)
    assert (kinds["Abs"], kinds["LessOrEqual"], kinds["ReduceMin"]) == (1, 1, 1)
    assert "Softmax" not in kinds  # ten times slower over channels in ONNX Runtime than written out


def test_trace_holds_no_map_sized_constant(everything: onnx.ModelProto) -> None:
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in everything.graph.initializer}
    assert {name: size for name, size in sizes.items() if size >= 37 * 53 and "network." not in name} == {}


def test_trace_carries_no_path_of_this_machine(each: onnx.ModelProto) -> None:
    assert str(Path(__file__).parents[3]).encode() not in each.SerializeToString()
    assert b".py" not in each.SerializeToString()


def test_trace_of_all_that_is_optional_has_nothing_but_floats_between_its_ends(everything: onnx.ModelProto) -> None:
    typed = onnx.shape_inference.infer_shapes(everything).graph.value_info
    kinds = {value.name: value.type.tensor_type.elem_type for value in typed}
    made = [node.output[0] for node in everything.graph.node]
    inside = made[made.index("normalised") : made.index("logits") + 1]
    assert {kinds[name] for name in inside} == {TensorProto.FLOAT}


def test_trace_twice_gives_the_same_bytes(plain: onnx.ModelProto) -> None:
    assert graph().SerializeToString() == plain.SerializeToString()


def test_trace_runs_in_onnxruntime_as_in_torch(plain: onnx.ModelProto, run: Callable) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 24, 3), dtype=np.uint8)
    labels, logits = run(with_stages(plain, ["logits"]), image, "labels", "logits")
    expected = network()(Normalise()(torch.from_numpy(image))).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert np.array_equal(labels, expected.argmax(1))


def test_trace_everything_runs_in_onnxruntime_as_in_torch(everything: onnx.ModelProto, run: Callable) -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, 72, 64), dtype=np.uint8)
    settings = ExportSettings(camera=CAMERA, labels_at="camera", confidence=True, batch=2)
    module = Deploy(network("bilinear"), settings, 16, 24, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    expected = module(torch.from_numpy(image))
    labels, confidence = run(everything, image)
    assert (labels == expected["labels"].numpy()).mean() > 0.999
    assert np.abs(confidence.astype(int) - expected["confidence"].numpy()).max() <= 1


@pytest.mark.parametrize("settings", [{}, {"camera": CAMERA, "labels_at": "camera"}])
def test_trace_logit_that_is_not_finite_gives_255_and_no_confidence(settings: dict, run: Callable) -> None:
    broken = network()
    with torch.no_grad():
        broken.head.bias[1] = 3e38  # finite as a weight, beyond half as a logit
    model = graph(broken, confidence=True, **settings)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    labels, confidence = run(model, np.zeros(shape, np.uint8))
    assert (labels == 255).all()
    assert (confidence == 0).all()


def test_trace_batch_norm_that_stays_is_refused() -> None:
    loose = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)).eval()
    with pytest.raises(ModelFileError, match=r"got a BatchNormalization in node '\w+'; change the network"):
        graph(loose)


def planted(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> onnx.ModelProto:
    """The graph with nodes between `logits` and what uses them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.input[:] = ["planted" if name == "logits" else name for name in node.input]
    place = next(index for index, node in enumerate(copy.graph.node) if "logits" in node.output) + 1
    for node in reversed(nodes):
        copy.graph.node.insert(place, node)
    constant = numpy_helper.from_array(np.array([1, 3, 16, 24]), "sizes")
    copy.graph.initializer.append(constant)
    return copy


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([("Identity", ["logits"], "planted", {})], "a Identity in node 'planted'"),
        (
            [("Cast", ["logits"], "half", {"to": TensorProto.FLOAT16}), ("Cast", ["half"], "planted", {"to": 1})],
            "a Cast of the Cast 'half' in node 'planted'",
        ),
        (
            [("Shape", ["logits"], "shape", {}), ("Reshape", ["logits", "shape"], "planted", {})],
            "a Shape in node 'shape'",
        ),
        (
            [("Abs", ["sizes"], "same", {}), ("Reshape", ["logits", "same"], "planted", {})],
            "a Abs of constants in node 'same'",
        ),
        (
            [
                ("ArgMax", ["logits"], "places", {"axis": 1}),
                ("Neg", ["places"], "minus", {}),
                ("Cast", ["minus"], "float", {"to": 1}),
                ("Add", ["logits", "float"], "planted", {}),
            ],
            r"arithmetic on shapes \(Neg\) in node 'minus'",
        ),
    ],
)
def test_require_tidy_planted_leftover_is_refused(plain: onnx.ModelProto, nodes: list, found: str) -> None:
    made = [helper.make_node(kind, ins, [out], name=out, **attributes) for kind, ins, out, attributes in nodes]
    model = planted(plain, *made)
    onnx.checker.check_model(model, full_check=True)
    with pytest.raises(ModelFileError, match=f"without leftovers, got {found}"):
        require_tidy(model)


def test_with_stages_gives_each_by_name_and_leaves_the_graph(everything: onnx.ModelProto, run: Callable) -> None:
    before = everything.SerializeToString()
    names = stage_names(everything)
    image = np.random.default_rng(0).integers(0, 256, (2, 72, 64), dtype=np.uint8)
    found = run(with_stages(everything, names), image)
    assert [value.dtype for value in found] == [np.uint8] * 2 + [np.float32] * 4
    assert found[2].shape == (2, 37, 53, 3)
    assert np.array_equal(found[0], run(everything, image)[0])
    assert everything.SerializeToString() == before


def test_with_stages_unknown_name_is_refused(plain: onnx.ModelProto) -> None:
    with pytest.raises(ModelFileError, match=r"graph has \(normalised, logits\), got 'colour'"):
        with_stages(plain, ["colour"])


def test_with_stages_without_value_info_still_gives_them(plain: onnx.ModelProto, run: Callable) -> None:
    bare = onnx.ModelProto()
    bare.CopyFrom(plain)
    del bare.graph.value_info[:]
    (logits,) = run(with_stages(bare, ["logits"]), np.zeros((1, 16, 24, 3), np.uint8), "logits")
    assert logits.shape == (1, 3, 16, 24)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_finish_weight_that_is_not_finite_is_refused(plain: onnx.ModelProto, value: float) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(plain)
    weight = next(tensor for tensor in broken.graph.initializer if tensor.name == "network.head.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0] = value
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(ModelFileError, match=r"network\.head\.weight"):
        finish(broken, SPEC)


def test_finish_result_is_sealed_and_passes_the_checker(plain: onnx.ModelProto) -> None:
    model = onnx.load_from_string(finish(plain, SPEC))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.key for entry in model.metadata_props] == [SPEC_KEY, "segtool.seal"]
    assert ModelSpec.from_json(model.metadata_props[0].value, "here") == SPEC


def test_finish_everything_matches_a_spec_with_its_door(everything: onnx.ModelProto) -> None:
    spec = replace(SPEC, camera=CAMERA, labels_at="camera", confidence={"temperature": 1.0}, batch=2)
    read_back, structure = check_model_bytes(finish(everything, spec), "here")
    assert read_back == spec
    assert [tensor.name for tensor in structure.outputs] == ["labels", "confidence"]


def test_finish_golden_frames_stand_behind_the_spec(plain: onnx.ModelProto) -> None:
    golden = pack_golden([np.zeros((16, 24, 3), np.uint8)], [np.zeros((16, 24), np.uint8)])
    model = onnx.load_from_string(finish(plain, replace(SPEC, golden=GOLDEN), golden))
    assert [entry.key for entry in model.metadata_props] == [SPEC_KEY, GOLDEN_KEY, "segtool.seal"]
    assert model.metadata_props[1].value == golden


def test_finish_spec_of_another_size_is_refused(plain: onnx.ModelProto) -> None:
    with pytest.raises(SpecError, match="32"):
        finish(plain, replace(SPEC, height_px=32))
