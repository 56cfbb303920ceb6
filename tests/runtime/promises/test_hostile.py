"""R9: a hostile file is an error, not a crash: truncated, mutated or built to hurt, and sealed again."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto

from runtime.errors import ModelFileError
from runtime.model_file import check_model_bytes

REPOSITORY = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("hostile_child.py")
LONGEST_S = 5
PER_CHILD = 1000
SEAL_BYTES = 82
ForceSeal = Callable[[bytes], bytes]
Random = np.random.Generator


def outcomes(files: Iterable[bytes], folder: Path) -> Counter[str]:
    """What a child made of each file; the test fails where one ended it, or took too long."""
    counts: Counter[str] = Counter()
    waiting = list(files)
    for start in range(0, len(waiting), PER_CHILD):
        part = folder / f"{start:05}"
        part.mkdir()
        for index, data in enumerate(waiting[start : start + PER_CHILD]):
            (part / f"{index:05}.onnx").write_bytes(data)
        done = subprocess.run(
            [sys.executable, str(CHILD), str(part)],
            cwd=REPOSITORY,
            env={"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=900,
        )
        # ONNX Runtime's own logger may say on stderr what it refuses
        assert done.returncode == 0, (part, done.stdout.splitlines()[-1:], done.stderr[-2000:])
        for line in done.stdout.splitlines():
            name, _, rest = line.partition(" ")
            came, seconds = json.loads(rest)
            assert seconds < LONGEST_S, (part, name, came, seconds)
            counts[came] += 1
    assert counts.total() == len(waiting)
    return counts


def test_truncated_at_every_length_is_refused(tiny_model_bytes: bytes) -> None:
    for length in range(len(tiny_model_bytes)):
        with pytest.raises(ModelFileError, match="file: expected a readable seal"):
            check_model_bytes(tiny_model_bytes[:length], "file")


def test_truncated_at_every_length_and_sealed_again_is_refused(tiny_model_bytes: bytes, force_seal: ForceSeal) -> None:
    unsealed = tiny_model_bytes[:-SEAL_BYTES]
    for length in range(len(unsealed)):
        with pytest.raises(ModelFileError, match="file: expected"):
            check_model_bytes(force_seal(unsealed[:length]), "file")


@pytest.mark.parametrize("count", [60, pytest.param(2_000, marks=pytest.mark.slow)])
def test_trained_network_truncated_and_sealed_again_is_refused(trained, force_seal: ForceSeal, count: int) -> None:
    unsealed = trained["int8"].sealed()[:-SEAL_BYTES]
    for length in np.random.default_rng(count).integers(0, len(unsealed), count):
        for data in (unsealed[:length], force_seal(unsealed[:length])):
            with pytest.raises(ModelFileError, match="file: expected"):
                check_model_bytes(data, "file")


def with_other_bytes(unsealed: bytes, random: Random) -> bytes:
    data = bytearray(unsealed)
    for _ in range(random.integers(1, 4)):
        place = random.integers(len(data))
        how = random.integers(4)
        if how == 0:
            data[place] = random.integers(256)
        elif how == 1:
            data[place] ^= 1 << random.integers(8)
        elif how == 2:
            del data[place : place + random.integers(1, 9)]
        else:
            data[place:place] = random.bytes(random.integers(1, 9))
    return bytes(data)


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_mutated_bytes_sealed_again_are_refused_or_a_model(
    tmp_path: Path, tiny_model_bytes: bytes, force_seal: ForceSeal, count: int
) -> None:
    random = np.random.default_rng(count)
    unsealed = tiny_model_bytes[:-SEAL_BYTES]
    counts = outcomes((force_seal(with_other_bytes(unsealed, random)) for _ in range(count)), tmp_path)
    assert counts["ModelFileError"] > count / 10
    assert counts["loaded"] > count / 20  # a changed weight is a valid model once it is sealed again


HOSTILE_INTEGERS = [0, 1, -1, 2, 7, 1 << 20, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63)]
OPERATORS = ["Conv", "ArgMax", "Resize", "Reshape", "Gather", "Expand", "Tile", "Range", "Loop", "If", "Pad", "Slice"]
OPERATORS += [
    "ConstantOfShape",
    "MaxPool",
    "QuantizeLinear",
    "Transpose",
    "Concat",
    "Identity",
    "Unheard",
    "Div",
    "Mod",
]


def change_dims(model: onnx.ModelProto, random: Random) -> None:
    tensor = model.graph.initializer[random.integers(len(model.graph.initializer))]
    if tensor.dims:
        tensor.dims[random.integers(len(tensor.dims))] = int(random.choice(HOSTILE_INTEGERS))
    else:
        tensor.dims.append(int(random.choice(HOSTILE_INTEGERS)))


def change_type(model: onnx.ModelProto, random: Random) -> None:
    tensor = model.graph.initializer[random.integers(len(model.graph.initializer))]
    tensor.data_type = int(random.integers(0, 30))


def change_integers(model: onnx.ModelProto, random: Random) -> None:
    tensors = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT64]
    if tensors:
        tensor = tensors[random.integers(len(tensors))]
        values = np.frombuffer(tensor.raw_data, "<i8").copy()
        values[random.integers(max(values.size, 1)) :] = random.choice(HOSTILE_INTEGERS)
        tensor.raw_data = values.tobytes()


def change_attribute(model: onnx.ModelProto, random: Random) -> None:
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    attribute = attributes[random.integers(len(attributes))]
    value = int(random.choice(HOSTILE_INTEGERS))
    if attribute.type == AttributeProto.INT:
        attribute.i = value
    elif attribute.ints:
        attribute.ints[random.integers(len(attribute.ints))] = value


def add_attribute(model: onnx.ModelProto, random: Random) -> None:
    node = model.graph.node[random.integers(len(model.graph.node))]
    name = str(
        random.choice(["strides", "dilations", "pads", "kernel_shape", "group", "axis", "perm", "to", "keepdims"])
    )
    values = [int(value) for value in random.choice(HOSTILE_INTEGERS, random.integers(1, 5))]
    node.attribute.append(onnx.helper.make_attribute(name, values if name[-1] == "s" or name == "perm" else values[0]))


def change_operator(model: onnx.ModelProto, random: Random) -> None:
    model.graph.node[random.integers(len(model.graph.node))].op_type = str(random.choice(OPERATORS))


def change_wires(model: onnx.ModelProto, random: Random) -> None:
    nodes = model.graph.node
    names = [name for node in nodes for name in (*node.input, *node.output)]
    node = nodes[random.integers(len(nodes))]
    ends = node.input if random.integers(2) and node.input else node.output
    ends[random.integers(len(ends))] = str(random.choice(["", *names]))


def change_nodes(model: onnx.ModelProto, random: Random) -> None:
    nodes = model.graph.node
    place = random.integers(len(nodes))
    if random.integers(2):
        nodes.append(nodes[place])
    else:
        del nodes[place]


def change_opset(model: onnx.ModelProto, random: Random) -> None:
    model.opset_import[0].version = int(random.choice([*HOSTILE_INTEGERS, 6, 13, 21, 40]))


CHANGES = [change_dims, change_type, change_integers, change_attribute, add_attribute, change_operator, change_wires]
CHANGES += [change_nodes, change_opset]


def with_other_parts(model: onnx.ModelProto, random: Random) -> bytes:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(random.integers(1, 3)):
        CHANGES[random.integers(len(CHANGES))](copy, random)
    return copy.SerializeToString()


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
@pytest.mark.parametrize("network", ["tiny", "int8"])
def test_mutated_graph_sealed_again_is_refused_or_a_model(
    tmp_path: Path,
    tiny_model_bytes: bytes,
    request: pytest.FixtureRequest,
    force_seal: ForceSeal,
    network: str,
    count: int,
) -> None:
    random = np.random.default_rng(count)
    data = tiny_model_bytes if network == "tiny" else request.getfixturevalue("trained")[network].sealed()
    model = onnx.load_from_string(data[:-SEAL_BYTES])
    counts = outcomes((force_seal(with_other_parts(model, random)) for _ in range(count)), tmp_path)
    assert counts["ModelFileError"] > count / 10
    assert counts["loaded"] > count / 100  # most changes of a graph leave none that can run
