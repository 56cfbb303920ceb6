"""Reads ONNX tensors: type, shape, where the values stand, and whether each floating-point value is finite.

Source of the field numbers: TensorProto and SparseTensorProto in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .protobuf import FIXED32, FIXED64, LENGTH, VARINT, Field, Message

FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16 = 1, 2, 10, 11, 16

# the bits of the exponent, as little-endian words: all set means NaN or infinity (IEEE 754; bfloat16 is the upper half
# of a binary32). Bits are compared, not floats, so that a signalling NaN can't raise a warning.
_EXPONENT: dict[int, tuple[str, int]] = {
    FLOAT: ("<u4", 0x7F800000),
    FLOAT16: ("<u2", 0x7C00),
    BFLOAT16: ("<u2", 0x7F80),
    DOUBLE: ("<u8", 0x7FF0000000000000),
}

# can hold a NaN, are never written by segtool, and are refused rather than left unchecked
_UNCHECKED: dict[int, str] = {
    14: "complex64",
    15: "complex128",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    23: "float4e2m1",
    24: "float8e8m0",
}

_VALUE_FIELDS = (4, 5, 6, 7, 9, 10, 11)  # float, int32, string, int64, raw, double, uint64 data
_MEGAVALUES = 1 << 20


@dataclass(frozen=True)
class InitializerInfo:
    """A tensor that the file holds: an initialiser, or a tensor in an attribute of a node (a Constant's value).

    Attributes:
        name: its name; for a tensor in an attribute "NODE.ATTRIBUTE" (in a list "NODE.ATTRIBUTE[2]").
        elem_type: ONNX's number of the element type (1 is fp32, 2 is uint8, 10 is fp16).
        dims: its shape.
        bytes_len: how many bytes its values take in the file.
        external: whether it says that its values stand in another file.
        finite: whether no floating-point value is NaN or infinite (True for integers).
    """

    name: str
    elem_type: int
    dims: tuple[int, ...]
    bytes_len: int
    external: bool
    finite: bool


def read_tensor(tensor: Message, name: str = "") -> InitializerInfo:
    """Reads one TensorProto.

    Args:
        tensor: the message.
        name: what to call it where it stands in an attribute; its own name otherwise.

    Raises:
        ModelFileError: it is malformed, or of a type whose values can't be checked for NaN.
    """
    name = name or tensor.text(8)
    elem_type = tensor.enum(2)
    if elem_type in _UNCHECKED:
        raise tensor.fault(f"name '{name}' and type {_UNCHECKED[elem_type]}, which can't be checked for NaN")
    return InitializerInfo(
        name=name,
        elem_type=elem_type,
        dims=tuple(tensor.integers(1)),
        bytes_len=sum(len(field.span) for number in _VALUE_FIELDS for field in _values(tensor, number)),
        external=13 in tensor or tensor.enum(14) != 0,
        finite=_is_finite(tensor, elem_type, name),
    )


def read_sparse_tensor(sparse: Message, name: str = "") -> list[InitializerInfo]:
    """Reads one SparseTensorProto: its values and its indices, each a tensor of its own."""
    parts = (sparse.message(1, "a sparse tensor's values"), sparse.message(2, "a sparse tensor's indices"))
    return [read_tensor(part, name) for part in parts if part is not None]


def floats_finite(message: Message, number: int) -> bool:
    """Whether every value of a `float` field, single, repeated or packed, is finite."""
    fields = message.all(number, FIXED32, LENGTH)
    return all(_bits_finite(message, field, *_EXPONENT[FLOAT]) for field in fields)


def _values(tensor: Message, number: int) -> list[Field]:
    return tensor.all(number, VARINT, FIXED64, LENGTH, FIXED32)


def _is_finite(tensor: Message, elem_type: int, name: str) -> bool:
    # whichever of the fields ONNX Runtime reads for this type, all of them are looked at
    finite = floats_finite(tensor, 4)
    finite &= all(_bits_finite(tensor, field, *_EXPONENT[DOUBLE]) for field in tensor.all(10, FIXED64, LENGTH))
    if elem_type not in _EXPONENT:
        return finite
    words, exponent = _EXPONENT[elem_type]
    for raw in tensor.all(9, LENGTH):
        if len(raw.span) % np.dtype(words).itemsize:
            raise tensor.fault(f"name '{name}' and {len(raw.span)} bytes of values, which is no whole number of them")
        finite &= _bits_finite(tensor, raw, words, exponent)
    if elem_type in (FLOAT16, BFLOAT16):  # ONNX keeps their bits in int32_data where raw_data is not used
        for field in tensor.all(5, VARINT, LENGTH):
            values = (
                _unpack_varints(tensor, field) if field.wire_type == LENGTH else np.array([field.integer], np.uint64)
            )
            finite &= not np.any(values & np.uint64(exponent) == exponent)
    return finite


def _bits_finite(message: Message, field: Field, words: str, exponent: int) -> bool:
    if len(field.span) % np.dtype(words).itemsize:
        raise message.fault(f"{len(field.span)} bytes of numbers, which is no whole number of them")
    bits = np.frombuffer(field.span, dtype=words)
    # in slices, so that a network of 500 MB does not take another 500 MB here
    slices = (bits[start : start + _MEGAVALUES] for start in range(0, len(bits), _MEGAVALUES))
    return not any(np.any(piece & bits.dtype.type(exponent) == exponent) for piece in slices)


def _unpack_varints(tensor: Message, field: Field) -> npt.NDArray[np.uint64]:
    """Decodes packed varints all at once; of each the lower 63 bits, which is more than any caller looks at."""
    encoded = np.frombuffer(field.span, dtype=np.uint8)
    ends = np.flatnonzero(encoded < 0x80)
    if len(encoded) and (not len(ends) or ends[-1] != len(encoded) - 1):
        raise tensor.fault("a packed number that is cut off")
    starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.intp)[: len(ends)]
    lengths = ends - starts + 1
    if np.any(lengths > 10):
        raise tensor.fault("a packed number longer than ten bytes")
    values = np.zeros(len(ends), np.uint64)
    for place in range(int(min(lengths.max(initial=0), 9))):
        here = lengths > place
        part = encoded[starts[here] + place].astype(np.uint64) & np.uint64(0x7F)
        values[here] |= part << np.uint64(7 * place)
    return values
