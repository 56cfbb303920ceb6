from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.deploy import Deploy
from export.graph import finish, trace, with_logits
from runtime.errors import ModelFileError
from runtime.spec import ModelSpec
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise
from trainer.networks.unet import UNet, UNetConfig

FLOAT, UINT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
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


def network(up: str = "learned") -> UNet:
    torch.manual_seed(1)
    return UNet(UNetConfig(width=4, depth=2, up=up), 3).eval()


def graph(*, half: bool = False, up: str = "learned") -> onnx.ModelProto:
    return trace(Deploy(network(up), half=half, mean=IMAGENET_MEAN, std=IMAGENET_STD), 16, 24)


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    return graph()


@pytest.mark.parametrize("up", ["learned", "bilinear"])
@pytest.mark.parametrize("half", [False, True])
def test_trace_keeps_the_contract(half: bool, up: str) -> None:
    model = graph(half=half, up=up)
    image, labels = model.graph.input[0], model.graph.output[0]
    assert (image.name, image.type.tensor_type.elem_type) == ("image", UINT8)
    assert [d.dim_value for d in image.type.tensor_type.shape.dim] == [1, 16, 24, 3]
    assert (labels.name, labels.type.tensor_type.elem_type) == ("labels", UINT8)
    assert [d.dim_value for d in labels.type.tensor_type.shape.dim] == [1, 16, 24]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version <= 10
    assert len(model.functions) == 0


@pytest.mark.parametrize("half", [False, True])
def test_trace_leaves_no_batch_norm_identity_or_cast_pair(half: bool) -> None:
    model = graph(half=half)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert not {"BatchNormalization", "Identity", "Shape", "Tile", "Expand", "Constant"} & kinds.keys()
    assert kinds["Reshape"] == 2  # to rows and back, where bytes are normalised
    made_by = {output: node.op_type for node in model.graph.node for output in node.output}
    pairs = [node.name for node in model.graph.node if node.op_type == "Cast" == made_by.get(node.input[0])]
    assert pairs == []


def test_trace_half_weighs_half_and_has_no_float32_weights(plain: onnx.ModelProto) -> None:
    half = graph(half=True)
    assert [t.name for t in half.graph.initializer if t.data_type == FLOAT and len(t.dims) > 1] == []
    assert len(half.SerializeToString()) < 0.75 * len(plain.SerializeToString())


def test_trace_carries_no_path_of_this_machine(plain: onnx.ModelProto) -> None:
    assert str(Path(__file__).parents[2]).encode() not in plain.SerializeToString()
    assert b".py" not in plain.SerializeToString()


def test_trace_twice_gives_the_same_bytes(plain: onnx.ModelProto) -> None:
    assert graph().SerializeToString() == plain.SerializeToString()


@pytest.mark.parametrize("up", ["learned", "bilinear"])
def test_trace_runs_in_onnxruntime_as_in_torch(up: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 24, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(with_logits(graph(up=up)), providers=["CPUExecutionProvider"])
    labels, logits = session.run(["labels", "logits"], {"image": image})
    expected = network(up)(Normalise()(torch.from_numpy(image))).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert np.array_equal(labels, expected.argmax(1))


def test_trace_logit_that_is_not_finite_gives_255() -> None:
    broken = network()
    with torch.no_grad():
        broken.head.bias[1] = 3e38  # finite as a weight, beyond half as a logit
    model = trace(Deploy(broken, half=False, mean=IMAGENET_MEAN, std=IMAGENET_STD), 16, 24)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert (session.run(None, {"image": np.zeros((1, 16, 24, 3), np.uint8)})[0] == 255).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_finish_weight_that_is_not_finite_is_refused(value: float) -> None:
    broken = network()
    with torch.no_grad():
        broken.head.weight[0, 0] = value
    model = trace(Deploy(broken, half=False, mean=IMAGENET_MEAN, std=IMAGENET_STD), 16, 24)
    with pytest.raises(ModelFileError, match=r"head\.weight"):
        finish(model, SPEC)


def test_finish_weight_beyond_half_is_refused() -> None:
    broken = network()
    with torch.no_grad():
        broken.head.weight[0, 0] = 1e6
    model = trace(Deploy(broken, half=True, mean=IMAGENET_MEAN, std=IMAGENET_STD), 16, 24)
    with pytest.raises(ModelFileError, match=r"head\.weight"):
        finish(model, SPEC)


def test_finish_result_is_sealed_and_passes_the_checker(plain: onnx.ModelProto) -> None:
    model = onnx.load_from_string(finish(plain, SPEC))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.key for entry in model.metadata_props] == ["segtool.spec", "segtool.seal"]
    assert ModelSpec.from_json(model.metadata_props[0].value, "here") == SPEC


def test_finish_spec_of_another_size_is_refused(plain: onnx.ModelProto) -> None:
    from dataclasses import replace

    with pytest.raises(ModelFileError, match="32"):
        finish(plain, replace(SPEC, height_px=32))


def test_with_logits_two_argmax_nodes_are_refused(plain: onnx.ModelProto) -> None:
    doubled = onnx.ModelProto()
    doubled.CopyFrom(plain)
    doubled.graph.node.append(next(node for node in plain.graph.node if node.op_type == "ArgMax"))
    with pytest.raises(ModelFileError, match="one ArgMax in the exported graph, got 2"):
        with_logits(doubled)
