"""The seal: the last 82 bytes of a model file, a SHA-256 over the whole file, so that an altered file does not load.

It stands in the file as the last ONNX metadata entry, key `segtool.seal`, so any ONNX tool still reads the file. Its
value is 64 lower-case hex digits: the SHA-256 of the file with those 64 bytes (its last ones) replaced by ASCII "0".
A seal shows damage and careless edits; whoever wants to can seal again, so it is no signature.
"""

import hashlib
import re

from .errors import IntegrityError, ModelFileError
from .onnx_file import read_metadata
from .protobuf import Message, Source

SEAL_KEY = "segtool.seal"

_DIGITS = 64
# ModelProto field 14, 80 bytes long { 1: "segtool.seal", 2: 64 bytes }
_OPENING = b"\x72\x50" + b"\x0a\x0c" + SEAL_KEY.encode() + b"\x12\x40"


def seal(model: bytes) -> bytes:
    """Appends the seal to a serialised ONNX model.

    Args:
        model: an ONNX file without a seal.

    Returns:
        The same bytes with 82 more behind them.

    Raises:
        ModelFileError: it is not an ONNX model, or has a seal already (the metadata can't be changed once sealed).
    """
    keys = [key for key, _ in read_metadata(Message(memoryview(model), "the model", Source("model to seal")))]
    if SEAL_KEY in keys:
        raise ModelFileError(
            f"model to seal: expected metadata without '{SEAL_KEY}', got {keys}; seal once, after the last change"
        )
    unsealed = model + _OPENING
    return unsealed + hashlib.sha256(unsealed + b"0" * _DIGITS).hexdigest().encode()


def check_seal(model: bytes, where: str) -> str:
    """Checks that a model file is byte for byte what was sealed.

    Args:
        model: the file's bytes.
        where: its name, for error messages.

    Returns:
        The seal's 64 hex digits. This is not the SHA-256 of the file as it stands, which `sha256sum` prints.

    Raises:
        IntegrityError: no readable seal, a second one, or a wrong one: the file was altered or cut.
        ModelFileError: the seal is right and yet the file is no protobuf message.
    """
    return check_seal_and_hash(model, where)[0]


def check_seal_and_hash(model: bytes, where: str) -> tuple[str, str]:
    """`check_seal`, and the SHA-256 of the whole file as it stands, for one pass over the bytes.

    Returns:
        The seal's digits and the file's SHA-256, each 64 hex digits.

    Raises:
        IntegrityError: as check_seal.
        ModelFileError: as check_seal.
    """
    body, written = memoryview(model)[:-_DIGITS], model[-_DIGITS:]
    if body[-len(_OPENING) :] != _OPENING or not re.fullmatch(rb"[0-9a-f]{64}", written):
        raise IntegrityError(
            f"{where}: expected a readable seal in its last {len(_OPENING) + _DIGITS} bytes, found none; "
            "it was not written by `segtool export`, or was cut or altered since: copy or export it again"
        )
    file_hash = hashlib.sha256(body)
    seal_hash = file_hash.copy()
    seal_hash.update(b"0" * _DIGITS)
    file_hash.update(written)
    if seal_hash.hexdigest().encode() != written:
        raise IntegrityError(
            f"{where}: expected the SHA-256 {written.decode()[:16]}... that its seal names, "
            f"got {seal_hash.hexdigest()[:16]}...; the file was altered since it was exported: copy or export it again"
        )
    metadata = read_metadata(Message(memoryview(model), "the model", Source(where)))
    seals = [key for key, _ in metadata].count(SEAL_KEY)
    if seals != 1 or metadata[-1] != (SEAL_KEY, written.decode()):
        raise IntegrityError(
            f"{where}: expected one metadata entry '{SEAL_KEY}', the last one, found {seals}; export the file again"
        )
    return written.decode(), file_hash.hexdigest()
