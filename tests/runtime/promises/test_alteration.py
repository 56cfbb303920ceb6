"""R8: an altered file does not load, and what was checked is what ONNX Runtime gets."""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from runtime.errors import IntegrityError
from runtime.model_file import check_model_bytes, load_model_file
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

SEAL_BYTES = 82
COUNTS = [2_000, pytest.param(10_000, marks=pytest.mark.slow)]


def flipped(data: bytes, bit: int) -> bytes:
    altered = bytearray(data)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


@pytest.mark.parametrize("count", COUNTS)
def test_one_flipped_bit_anywhere_is_an_integrity_error(tiny_model_bytes: bytes, count: int) -> None:
    check_model_bytes(tiny_model_bytes, "file")
    for bit in np.random.default_rng(count).integers(0, 8 * len(tiny_model_bytes), count):
        with pytest.raises(IntegrityError, match=r"file: expected (the SHA-256|a readable seal)"):
            check_model_bytes(flipped(tiny_model_bytes, int(bit)), "file")


def test_each_flipped_bit_of_the_seal_is_an_integrity_error(tiny_model_bytes: bytes) -> None:
    for bit in range(8 * (len(tiny_model_bytes) - SEAL_BYTES), 8 * len(tiny_model_bytes)):
        with pytest.raises(IntegrityError, match=r"file: expected (the SHA-256|a readable seal)"):
            check_model_bytes(flipped(tiny_model_bytes, bit), "file")


@pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=pytest.mark.slow)])
def test_one_flipped_bit_of_a_trained_network_is_an_integrity_error(trained, tmp_path: Path, count: int) -> None:
    random = np.random.default_rng(count)
    path = tmp_path / "model.onnx"
    for precision, file in trained.items():
        data = file.sealed()
        for bit in random.integers(0, 8 * len(data), count // 3):
            path.write_bytes(flipped(data, int(bit)))
            with pytest.raises(IntegrityError, match=r"model\.onnx: expected"):
                Segmenter(path, "cpu", options=EngineOptions(threads=1))
        path.write_bytes(data)
        assert load_model_file(path).spec.precision == precision


def test_onnxruntime_gets_the_bytes_that_were_checked_and_not_the_file(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, model: object, *arguments: object, **keywords: object) -> None:
            given.append(model)
            tiny_model_path.write_bytes(b"another file by now")
            super().__init__(model, *arguments, **keywords)

    digest = hashlib.sha256(tiny_model_path.read_bytes()).hexdigest()
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    with Segmenter(tiny_model_path, "cpu") as segmenter:
        assert [hashlib.sha256(each).hexdigest() for each in given] == [digest] == [segmenter.sha256]
