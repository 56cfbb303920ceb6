"""Expected values: the onnx package writes the tensors, numpy and ml_dtypes the numbers in them."""

import time

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import ModelFileError
from runtime.protobuf import Message, Source
from runtime.tensors import InitializerInfo, read_sparse_tensor, read_tensor

FLOAT_TYPES = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
    TensorProto.DOUBLE: np.float64,
}


def read(proto: onnx.TensorProto) -> InitializerInfo:
    return read_tensor(message(proto.SerializeToString()))


def message(data: bytes) -> Message:
    return Message(memoryview(data), "a tensor", Source("file.onnx"))


def tensor(elem_type: int, values: np.ndarray, *, raw: bool) -> onnx.TensorProto:
    if raw:
        return helper.make_tensor("w", elem_type, values.shape, values.tobytes(), raw=True)
    return helper.make_tensor("w", elem_type, values.shape, values.flatten().tolist())


def test_read_tensor_tells_name_type_shape_and_bytes() -> None:
    info = read(numpy_helper.from_array(np.zeros((2, 3), np.float32), "weights"))
    assert info == InitializerInfo("weights", 1, (2, 3), 24, external=False, finite=True)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("elem_type", FLOAT_TYPES)
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_read_tensor_one_value_not_finite_is_found(elem_type: int, raw: bool, bad: float) -> None:
    values = np.linspace(-3, 3, 500).astype(FLOAT_TYPES[elem_type])
    assert read(tensor(elem_type, values, raw=raw)).finite
    values[321] = bad
    assert not read(tensor(elem_type, values, raw=raw)).finite


@pytest.mark.parametrize("elem_type", FLOAT_TYPES)
def test_read_tensor_largest_and_smallest_numbers_are_finite(elem_type: int) -> None:
    info = ml_dtypes.finfo(FLOAT_TYPES[elem_type])
    values = np.array([info.max, info.min, info.tiny, info.smallest_subnormal, 0, -0.0], FLOAT_TYPES[elem_type])
    assert read(tensor(elem_type, values, raw=True)).finite


def test_read_tensor_nan_with_any_payload_is_found() -> None:
    for bits in (0x7F800001, 0x7FC00000, 0xFF800001, 0xFFFFFFFF):  # 0x7f800001 is a signalling NaN
        assert not read(tensor(1, np.array([bits], np.uint32).view(np.float32), raw=True)).finite


def test_read_tensor_fp16_bits_single_instead_of_packed_are_found() -> None:
    # int32_data (field 5) not packed: 0x7c00 is +Inf, 0x3c00 is 1
    assert read_tensor(message(b"\x10\x0a" + b"\x28\x80\x78")).finite  # 0x3c00
    assert not read_tensor(message(b"\x10\x0a" + b"\x28\x80\xf8\x01")).finite  # 0x7c00


def test_read_tensor_nan_of_an_integer_pattern_is_no_nan() -> None:
    assert read(numpy_helper.from_array(np.full(4, 0x7FC00000, np.int32), "w")).finite


def test_read_tensor_nan_past_the_first_slice_is_found() -> None:
    values = np.ones((1 << 20) + 5, np.float32)
    values[-1] = np.nan
    assert not read(tensor(1, values, raw=True)).finite


@pytest.mark.parametrize("elem_type", [14, 15, 17, 18, 19, 20, 23, 24])
def test_read_tensor_type_that_cannot_be_checked_is_refused(elem_type: int) -> None:
    name = onnx.TensorProto.DataType.Name(elem_type).lower()
    with pytest.raises(ModelFileError, match=f"name 'w' and type {name}"):
        read(onnx.TensorProto(name="w", data_type=elem_type, dims=[1], raw_data=b"\x00"))


@pytest.mark.parametrize("elem_type", [1, 10, 11, 16])
def test_read_tensor_half_a_number_is_refused(elem_type: int) -> None:
    with pytest.raises(ModelFileError, match="3 bytes of values"):
        read(onnx.TensorProto(name="w", data_type=elem_type, dims=[1], raw_data=b"\x00" * 3))


@pytest.mark.parametrize(("packed", "problem"), [(b"\x80", "cut off"), (b"\x80" * 10 + b"\x01", "longer than ten")])
def test_read_tensor_packed_numbers_malformed_are_refused(packed: bytes, problem: str) -> None:
    with pytest.raises(ModelFileError, match=f"a packed number (that is )?{problem}"):
        read_tensor(message(b"\x10\x0a" + b"\x2a" + bytes([len(packed)]) + packed))


def test_read_tensor_external_is_told_whichever_way_it_says_so() -> None:
    assert read(onnx.TensorProto(name="w", data_type=1, data_location=onnx.TensorProto.EXTERNAL)).external
    hinted = onnx.TensorProto(name="w", data_type=1)
    hinted.external_data.add(key="location", value="/etc/passwd")
    assert read(hinted).external
    # protobuf cuts an enum to 32 bits, so 2**32 + 1 is EXTERNAL too: field 14, varint
    assert read_tensor(message(b"\x70\x81\x80\x80\x80\x10")).external


def test_read_sparse_tensor_gives_values_and_indices() -> None:
    values = numpy_helper.from_array(np.array([1, np.nan], np.float32), "v")
    indices = numpy_helper.from_array(np.array([3, 5], np.int64), "i")
    sparse = helper.make_sparse_tensor(values, indices, [10])
    found = read_sparse_tensor(message(sparse.SerializeToString()))
    assert [(info.name, info.elem_type, info.finite) for info in found] == [("v", 1, False), ("i", 7, True)]


def test_read_tensor_fp16_in_varints_takes_time_linear_in_its_size() -> None:
    values = np.ones(2_000_000, np.float16)
    proto = onnx.TensorProto(name="w", data_type=10, dims=[len(values)])
    proto.int32_data.extend(values.view(np.uint16).tolist())
    started = time.perf_counter()
    assert read(proto).finite
    assert time.perf_counter() - started < 5
