"""One array as the bytes of an .npy file and back. Strangers' bytes are compared with what must be there."""

import io
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.errors import DataError

_MAGIC = b"\x93NUMPY\x01\x00"  # version 1.0 of numpy.lib.format; then the header's length as uint16, little-endian


def encode(array: NDArray[Any]) -> bytes:
    """The bytes of an .npy file, the same for the same array."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def decode(data: bytes, dtype: DTypeLike, shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """The array in the bytes of an .npy file, read-only.

    NumPy's reader of headers evaluates a literal and, for a header that it can't read, runs Python's tokenizer over it;
    since type and shape are known before, the header has to be one text and no other.

    Args:
        data: the file.
        dtype: that it must have.
        shape: that it must have.
        where: the file's name, for error messages.

    Raises:
        DataError: no .npy file of version 1.0, or another type, order, shape or length.
    """
    dtype = np.dtype(dtype)
    expected = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    begin = len(_MAGIC) + 2
    if len(data) >= begin:
        begin += struct.unpack_from("<H", data, len(_MAGIC))[0]
    header = data[len(_MAGIC) + 2 : begin].rstrip(b" \n")
    size = math.prod(shape) * dtype.itemsize
    if not data.startswith(_MAGIC) or header != expected or len(data) - begin != size:
        raise DataError(
            f"{where}: expected an .npy file of version 1.0 with {expected.decode()} and {size} bytes, got "
            f"{data[:8]!r}, {header[:200].decode(errors='replace')} and {len(data) - begin} bytes; "
            "make the pack anew with `segtool pack`"
        )
    return np.frombuffer(data, dtype, offset=begin).reshape(shape)
