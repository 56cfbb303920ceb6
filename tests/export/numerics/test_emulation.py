"""The emulation against PyTorch computing in half on the CPU, layer by layer and as a whole."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import export.numerics.emulation
from export.numerics.emulation import emulate, open_emulation
from export.numerics.half import to_half
from export.numerics.network import NORMALISED, find_network
from export.numerics.session import open_unoptimised, with_output
from runtime.errors import DeviceError

Planted = Callable[[onnx.ModelProto, list[tuple[str, str]], int], onnx.ModelProto]


def run(model: onnx.ModelProto, image: NDArray[np.uint8], *names: str) -> list[NDArray[Any]]:
    """Float32 or label values of a graph run node by node."""
    for name in names:
        model = with_output(model, name)
    session, _ = open_unoptimised(model)
    return session.run(list(names), {"image": image})


def in_torch(node: onnx.NodeProto, inputs: list[torch.Tensor]) -> torch.Tensor:
    """What PyTorch gives for a node, in the precision of its inputs."""
    settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    match node.op_type:
        case "Conv":
            return nn.functional.conv2d(*inputs, stride=settings["strides"], padding=settings["pads"][:2])
        case "ConvTranspose":
            # PyTorch in half rounds the sum before it adds the bias; here the result is rounded once
            exact = (values.float() for values in inputs)
            return nn.functional.conv_transpose2d(*exact, stride=settings["strides"]).half()
        case "Relu":
            return inputs[0].relu()
        case "Clip":
            return inputs[0].clamp(*(bound.item() for bound in inputs[1:]))
        case "MaxPool":
            return nn.functional.max_pool2d(inputs[0], 2)
        case "Concat":
            return torch.cat(inputs, dim=1)
        case "Resize":
            return nn.functional.interpolate(inputs[0], scale_factor=2, mode="bilinear")
    raise NotImplementedError(node.op_type)


def test_emulate_each_layer_gives_what_torch_gives_in_half(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    model = small_graph
    network = find_network(model)
    half = to_half(model)
    inner = ["logits.float16" if v == "logits" else v for v in network.floats if v != NORMALISED]
    values = [*inner, "normalised.float16"]
    found = dict(zip(values, run(emulate(half), images[0], *values), strict=True))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in half.graph.initializer}
    checked = 0
    names = {node.name for node in network.nodes}
    for node in half.graph.node:
        if node.name not in names:
            continue
        taken = [n for n in node.input if n and not (node.op_type == "Resize" and n != node.input[0])]
        # the emulated inputs are half numbers held in float32, so that nothing is lost on the way to torch
        inputs = [torch.from_numpy(found[n].astype(np.float16) if n in found else weights[n].copy()) for n in taken]
        expected = in_torch(node, inputs).numpy()
        assert expected.dtype == np.float16
        got = found[node.output[0]]
        np.testing.assert_array_equal(got, got.astype(np.float16).astype(np.float32))
        # sums in another order may fall on the other side of a rounding: one unit in the last place of the largest term
        unit = np.spacing(np.abs(expected).astype(np.float16)).astype(np.float32)
        error = np.abs(got - expected.astype(np.float32))
        assert (error <= np.maximum(unit, 2.0**-11 * np.abs(expected).max() / 8)).all(), node.name
        assert (error == 0).mean() > 0.95, node.name
        checked += 1
    assert checked == len(network.nodes)


def test_emulate_whole_network_is_as_near_to_torch_in_half_as_rounding_allows(
    small_graph: onnx.ModelProto, network: nn.Module, images: list[NDArray[np.uint8]]
) -> None:
    session = open_emulation(to_half(small_graph))
    half = copy.deepcopy(network).half()
    changed, pixels, near, rounding = 0, 0, [], []
    for image in images:
        labels, logits = session.run(["labels", "logits"], {"image": image})
        normalised, exact = run(small_graph, image, "normalised", "logits")
        with torch.no_grad():
            expected = half(torch.from_numpy(normalised).half()).float().numpy()
        top = np.sort(expected, axis=1)
        clear = (top[:, -1] - top[:, -2]) > 2 * np.abs(logits - expected).max()
        assert (labels == expected.argmax(1))[clear].all()
        changed, pixels = changed + (labels != expected.argmax(1)).sum(), pixels + labels.size
        near.append(np.abs(logits - expected).mean())
        rounding.append(np.abs(exact - expected).mean())
    assert changed / pixels < 0.002
    # what is left: the order of sums, and the bias that PyTorch adds to a transposed convolution's rounded sum
    assert np.mean(near) < 0.6 * np.mean(rounding)


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_emulate_every_value_stays_rounded_whatever_is_optimised(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]], level: str
) -> None:
    model = with_output(emulate(to_half(small_graph)), "logits")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"image": images[0]})[0]
    np.testing.assert_array_equal(logits, logits.astype(np.float16).astype(np.float32))
    reference = open_emulation(to_half(small_graph)).run(["logits"], {"image": images[0]})[0]
    exact = run(small_graph, images[0], "logits")[0]
    assert np.abs(logits - reference).mean() < 0.5 * np.abs(exact - reference).mean()


def test_open_emulation_engine_that_drops_a_rounding_is_refused(
    small_graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropping(model: onnx.ModelProto) -> tuple[object, onnx.ModelProto]:
        session, optimised = open_unoptimised(model)
        last = max(i for i, n in enumerate(optimised.graph.node) if n.op_type == "Cast" and n.attribute[0].i == 10)
        del optimised.graph.node[last]
        return session, optimised

    monkeypatch.setattr(export.numerics.emulation, "open_unoptimised", dropping)
    with pytest.raises(DeviceError, match=r"to keep 20 casts to float16, it kept 19"):
        open_emulation(to_half(small_graph))


def test_emulate_overflow_is_inf_where_the_cpu_provider_hides_it(
    small_graph: onnx.ModelProto, planted: Planted, images: list[NDArray[np.uint8]]
) -> None:
    model = planted(small_graph, [("conv3", "conv4")], 15)
    half = to_half(model)
    cpu = onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])
    right = run(small_graph, images[0], "labels")[0]
    assert (cpu.run(["labels"], {"image": images[0]})[0] == right).mean() > 0.99  # the danger: it looks sound
    conv3 = next(n.output[0] for n in half.graph.node if "network.conv3.weight" in n.input)
    assert np.isinf(run(emulate(half), images[0], conv3)[0]).any()
    assert (open_emulation(half).run(["labels"], {"image": images[0]})[0] == 255).mean() > 0.5


def test_emulate_overflow_agrees_with_torch_in_half(
    small_graph: onnx.ModelProto, planted: Planted, network: nn.Module, images: list[NDArray[np.uint8]]
) -> None:
    damaged = copy.deepcopy(network)
    for parameter, power in ((damaged.conv1.weight, 14), (damaged.conv1.bias, 14), (damaged.conv2.weight, -14)):
        parameter.data *= 2.0**power
    normalised = run(small_graph, images[0], "normalised")[0]
    with torch.no_grad():
        expected = damaged.half()(torch.from_numpy(normalised).half())[0].isfinite().all(dim=0).numpy()
    half = to_half(planted(small_graph, [("conv1", "conv2")], 14))
    labels = open_emulation(half).run(["labels"], {"image": images[0]})
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(labels[0][0] != 255, expected)


def test_emulate_kept_layer_is_not_rounded(
    small_graph: onnx.ModelProto, planted: Planted, node_of: Callable[..., str], images: list[NDArray[np.uint8]]
) -> None:
    model = planted(small_graph, [("conv3", "conv4")], 15)
    keep = {node_of(model, "conv3")}
    right = run(small_graph, images[0], "labels")[0]
    assert (open_emulation(to_half(model, keep)).run(["labels"], {"image": images[0]})[0] == right).mean() > 0.99
    every = {node.name for node in find_network(model).nodes}
    logits = open_emulation(to_half(model, every)).run(["logits"], {"image": images[0]})[0]
    np.testing.assert_array_equal(logits, run(model, images[0], "logits")[0])


def test_emulate_max_pool_hands_nan_on_as_torch_does() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(1, 2, 8, 8)).astype(np.float16)
    values[random.random(values.shape) < 0.1] = np.nan
    values[random.random(values.shape) < 0.1] = np.inf
    values[random.random(values.shape) < 0.1] = -np.inf
    node = helper.make_node("MaxPool", ["x"], ["y"], "pool", kernel_shape=[2, 2], strides=[2, 2])
    back = helper.make_node("Cast", ["y"], ["logits"], "back", to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [node, back],
        "g",
        [helper.make_tensor_value_info("start", TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 2, 4, 4))],
    )
    graph.node.insert(0, helper.make_node("Cast", ["start"], ["x"], "front", to=TensorProto.FLOAT16))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=10)
    got = open_emulation(model).run(["logits"], {"start": values.astype(np.float32)})[0]
    expected = nn.functional.max_pool2d(torch.from_numpy(values), 2).float().numpy()
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(got, expected)
