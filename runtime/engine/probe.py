"""A tiny model that shows whether a provider truly runs: one 1x1 convolution, written here byte by byte.

A convolution, because a provider can open and then fail at the first one, when it looks for cuDNN's own libraries.
"""

from typing import Any

import numpy as np

_SIDE = 4
_WEIGHT = -2.0


def probe_model() -> bytes:
    """An ONNX model (IR 8, opset 17): fp32 x [1, 1, 4, 4] -> Conv with the one weight -2 -> fp32 y [1, 1, 4, 4].

    The field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; a test has the onnx package
    check the bytes.
    """
    weight = _message((1, 1), (1, 1), (1, 1), (1, 1), (2, 1), (8, b"w"), (9, np.array(_WEIGHT, "<f4").tobytes()))
    node = _message((1, b"x"), (1, b"w"), (2, b"y"), (4, b"Conv"))
    graph = _message((1, node), (2, b"probe"), (5, weight), (11, _tensor(b"x")), (12, _tensor(b"y")))
    opset = _message((1, b""), (2, 17))
    return _message((1, 8), (7, graph), (8, opset))


def runs(session: Any) -> bool:  # noqa: ANN401  # onnxruntime has no types
    """Whether a session of the probe model computes what it must.

    Args:
        session: ONNX Runtime's session of `probe_model()`.

    Raises:
        One of engine.ENGINE_ERRORS: it failed while running.
    """
    x = np.arange(_SIDE * _SIDE, dtype=np.float32).reshape(1, 1, _SIDE, _SIDE)
    (y,) = session.run(["y"], {"x": x})
    return bool(np.array_equal(y, x * _WEIGHT))  # small whole numbers: exact in every float format


def _tensor(name: bytes) -> bytes:
    shape = _message(*((1, _message((1, length))) for length in (1, 1, _SIDE, _SIDE)))
    return _message((1, name), (2, _message((1, _message((1, 1), (2, shape))))))


def _message(*fields: tuple[int, int | bytes]) -> bytes:
    """Protobuf, with numbers and lengths under 128 only: each is one byte."""
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += bytes([number << 3, value])
        else:
            encoded += bytes([number << 3 | 2, len(value)]) + value
    return encoded
