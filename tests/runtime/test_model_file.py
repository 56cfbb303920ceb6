import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import IntegrityError, ModelFileError, UsageError
from runtime.model_file import check_model_bytes, load_model_file
from runtime.seal import check_seal, seal


def sealed(proto: onnx.ModelProto) -> bytes:
    return seal(proto.SerializeToString())


def test_load_model_file_gives_bytes_hash_spec_and_structure(tiny_model_path: Path, make_spec) -> None:
    model = load_model_file(tiny_model_path)
    assert model.path == tiny_model_path
    assert model.data == tiny_model_path.read_bytes()
    assert model.sha256 == hashlib.sha256(model.data).hexdigest()
    assert model.spec == make_spec()
    assert model.structure.opsets == {"": 18}


def test_check_model_bytes_gives_the_same_spec_and_structure(tiny_model_path: Path) -> None:
    model = load_model_file(str(tiny_model_path))
    assert check_model_bytes(model.data, "memory") == (model.spec, model.structure)


def test_load_model_file_with_its_sha256_in_either_case_loads(tiny_model_path: Path) -> None:
    digest = hashlib.sha256(tiny_model_path.read_bytes()).hexdigest()
    assert load_model_file(tiny_model_path, digest).sha256 == digest
    assert load_model_file(tiny_model_path, digest.upper()).sha256 == digest


def test_load_model_file_with_another_sha256_is_refused(tiny_model_path: Path) -> None:
    with pytest.raises(IntegrityError, match=f"expected the file with SHA-256 {'a' * 64}, got [0-9a-f]{{64}}"):
        load_model_file(tiny_model_path, "a" * 64)


def test_load_model_file_with_the_seals_digest_as_sha256_is_refused(tiny_model_path: Path) -> None:
    digits = check_seal(tiny_model_path.read_bytes(), "file")
    with pytest.raises(IntegrityError, match=f"expected the file with SHA-256 {digits}"):
        load_model_file(tiny_model_path, digits)


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64, "a" * 63])
def test_load_model_file_sha256_of_no_sense_is_refused(tiny_model_path: Path, sha256: str) -> None:
    with pytest.raises(UsageError, match=f"sha256: expected 64 hex digits .*, got '{sha256}'"):
        load_model_file(tiny_model_path, sha256)


@pytest.mark.parametrize("name", ["absent.onnx", "folder", "empty.onnx", "nul\0.onnx", "x" * 300])
def test_load_model_file_of_no_file_says_what_was_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.onnx").touch()
    found = {"absent.onnx": "nothing of that name", "folder": "a folder", "empty.onnx": "an empty file"}
    with pytest.raises(ModelFileError, match=f"found {found.get(name, '(an error|nothing)')}.*`segtool export RUN`"):
        load_model_file(tmp_path / name)


def test_load_model_file_of_a_device_is_refused_without_reading_it() -> None:
    with pytest.raises(ModelFileError, match=r"/dev/zero: .*found something that is no regular file"):
        load_model_file("/dev/zero")


def test_load_model_file_over_two_gigabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as stream:
        stream.truncate(1 << 31)  # sparse
    with pytest.raises(ModelFileError, match="found 2147483648 bytes, over the 2 GB"):
        load_model_file(path)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n" + bytes(200), bytes(5000)])
def test_load_model_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(
        IntegrityError, match=r"model\.onnx: expected a readable seal .* not written by `segtool export`"
    ):
        load_model_file(path)


def test_load_model_file_of_a_stock_onnx_file_says_that_it_is_not_sealed(tmp_path: Path, make_proto) -> None:
    path = tmp_path / "stock.onnx"
    onnx.save(make_proto(), path)
    with pytest.raises(IntegrityError, match=r"stock\.onnx: expected a readable seal"):
        load_model_file(path)


def test_check_altered_file_is_an_integrity_error_before_anything_else(make_proto) -> None:
    data = bytearray(sealed(make_proto()))
    data[0] ^= 0x80  # also no longer an ONNX model
    with pytest.raises(IntegrityError, match="file: expected the SHA-256"):
        check_model_bytes(bytes(data), "file")


def external(proto: onnx.ModelProto) -> None:
    weight = next(tensor for tensor in proto.graph.initializer if tensor.name == "weight")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")


def external_in_constant(proto: onnx.ModelProto) -> None:
    value = onnx.TensorProto(name="v", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="../weights.bin")
    proto.graph.node.append(helper.make_node("Constant", [], ["unused"], "held", value=value))


def external_in_subgraph(proto: onnx.ModelProto) -> None:
    inner = onnx.GraphProto(name="inner")
    inner.initializer.add(name="deep", data_type=1, data_location=TensorProto.EXTERNAL)
    proto.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=inner))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (external, "tensor 'weight' has external data"),
        (external_in_constant, "tensor 'held.value' has external data"),
        (external_in_subgraph, "tensor 'deep' has external data"),
        (
            lambda p: p.graph.node.add(op_type="Gelu", name="g", domain="com.microsoft"),
            "node 'g' is com.microsoft.Gelu",
        ),
        (lambda p: p.graph.node.add(op_type="EPContext", domain="com.microsoft"), "com.microsoft.EPContext"),
        (lambda p: p.opset_import.add(domain="my.ops", version=1), "the opset import 'my.ops'"),
        (lambda p: p.functions.add(name="f"), "the model has functions"),
        (lambda p: p.training_info.add(), "the model has training_info"),
        (lambda p: p.ClearField("opset_import"), "import of ONNX's opset, got {}"),
    ],
)
def test_check_foreign_parts_are_refused_by_name(make_proto, change, problem: str) -> None:
    proto = make_proto()
    change(proto)
    with pytest.raises(ModelFileError, match=f"file: expected .*{re.escape(problem)}.*export it again"):
        check_model_bytes(sealed(proto), "file")


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_check_initializer_not_finite_is_refused(make_proto, dtype, bad: float) -> None:
    proto = make_proto()
    proto.graph.initializer.append(numpy_helper.from_array(np.array([0, bad, 1], dtype), "sick"))
    with pytest.raises(ModelFileError, match="finite numbers only, but tensor 'sick' holds NaN or infinity"):
        check_model_bytes(sealed(proto), "file")


def test_check_each_float_initializer_of_the_model_made_nan_is_refused(make_proto) -> None:
    for tensor in make_proto().graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        proto = make_proto()
        (target,) = [other for other in proto.graph.initializer if other.name == tensor.name]
        values = numpy_helper.to_array(target).copy()
        values.flat[-1] = np.nan
        target.CopyFrom(numpy_helper.from_array(values, tensor.name))
        with pytest.raises(ModelFileError, match=f"tensor '{tensor.name}' holds NaN"):
            check_model_bytes(sealed(proto), "file")


@pytest.mark.parametrize(
    ("attribute", "problem"),
    [
        ({"value": numpy_helper.from_array(np.float16("nan"))}, "tensor 'held.value' holds NaN"),
        ({"value_float": float("inf")}, r"an attribute of node 'held' \(Constant\) holds NaN"),
    ],
)
def test_check_constant_node_not_finite_is_refused(make_proto, attribute: dict, problem: str) -> None:
    proto = make_proto()
    proto.graph.node.append(helper.make_node("Constant", [], ["unused"], "held", **attribute))
    with pytest.raises(ModelFileError, match=f"file: expected finite numbers only, but {problem}"):
        check_model_bytes(sealed(proto), "file")
