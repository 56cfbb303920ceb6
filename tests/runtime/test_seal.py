import hashlib

import numpy as np
import onnx
import pytest

from runtime.errors import IntegrityError, ModelFileError
from runtime.seal import SEAL_KEY, check_seal, check_seal_and_hash, seal


def test_seal_is_the_hash_with_its_own_digits_as_zeros(make_proto) -> None:
    sealed = seal(make_proto().SerializeToString())
    assert sealed[-64:].decode() == hashlib.sha256(sealed[:-64] + b"0" * 64).hexdigest()


def test_seal_is_the_last_metadata_entry_for_the_onnx_package(make_proto) -> None:
    proto = make_proto()
    sealed = seal(proto.SerializeToString())
    read = onnx.load_from_string(sealed)
    assert [entry.key for entry in read.metadata_props][-1] == SEAL_KEY
    assert read.metadata_props[-1].value == check_seal(sealed, "file.onnx")
    del read.metadata_props[-1]
    assert read == proto


def test_seal_twice_is_refused(tiny_model_bytes: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"expected metadata without 'segtool.seal', got \['segtool.spec'"):
        seal(tiny_model_bytes)


def test_seal_of_no_model_is_refused() -> None:
    with pytest.raises(ModelFileError, match=r"model to seal: .*wire type 7"):
        seal(b"\xff\x01")


def test_check_seal_and_hash_gives_what_sha256sum_gives(tiny_model_bytes: bytes) -> None:
    digits, file_hash = check_seal_and_hash(tiny_model_bytes, "file.onnx")
    assert file_hash == hashlib.sha256(tiny_model_bytes).hexdigest() != digits


def test_check_seal_every_bit_of_the_seal_flipped_is_refused(tiny_model_bytes: bytes) -> None:
    for bit in range(82 * 8):
        altered = bytearray(tiny_model_bytes)
        altered[-1 - bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError, match=r"file\.onnx: expected"):
            check_seal(bytes(altered), "file.onnx")


def test_check_seal_thousand_random_bits_flipped_are_refused(tiny_model_bytes: bytes) -> None:
    for bit in np.random.default_rng(0).integers(0, len(tiny_model_bytes) * 8, 1000):
        altered = bytearray(tiny_model_bytes)
        altered[bit // 8] ^= 1 << int(bit % 8)
        with pytest.raises(IntegrityError, match=r"file\.onnx: expected"):
            check_seal(bytes(altered), "file.onnx")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda sealed: sealed[-64:],
        lambda sealed: sealed[:-82],
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"\x0a\x00",
        lambda sealed: sealed[:-64] + sealed[-64:].upper(),
        lambda sealed: sealed[:-64] + b"g" * 64,
        lambda sealed: sealed[:-64] + b"\xff" * 64,
    ],
)
def test_check_seal_not_readable_is_refused(tiny_model_bytes: bytes, change) -> None:
    with pytest.raises(IntegrityError, match=r"file\.onnx: expected a readable seal in its last 82 bytes, found none"):
        check_seal(change(tiny_model_bytes), "file.onnx")


def test_check_seal_of_another_model_is_refused(tiny_model_bytes: bytes, make_proto) -> None:
    other = seal(make_proto(scale=2.0).SerializeToString())
    grafted = tiny_model_bytes[:-64] + other[-64:]
    with pytest.raises(IntegrityError, match=f"expected the SHA-256 {other[-64:-48].decode()}"):
        check_seal(grafted, "file.onnx")


def test_check_seal_second_seal_is_refused(make_proto, force_seal) -> None:
    twice = force_seal(seal(make_proto().SerializeToString()))
    with pytest.raises(IntegrityError, match=r"expected one metadata entry 'segtool.seal', the last one, found 2"):
        check_seal(twice, "file.onnx")


def test_check_seal_hidden_inside_another_field_is_refused(make_proto, force_seal) -> None:
    opened = make_proto().SerializeToString() + b"\x32\x52"  # doc_string, 82 bytes long: the seal is its text
    with pytest.raises(IntegrityError, match="the last one, found 0"):
        check_seal(force_seal(opened), "file.onnx")


def test_check_seal_right_around_no_protobuf_is_a_model_file_error(force_seal) -> None:
    with pytest.raises(ModelFileError, match=r"file\.onnx: .*wire type 7"):
        check_seal(force_seal(b"\xff\x01"), "file.onnx")
