"""Opens a model file: the seal, the structure and the spec are checked on the very bytes that go to ONNX Runtime.

What passes here is a file that `segtool export` sealed and nobody altered, with nothing in it but ONNX's own operators
on finite numbers, whose door is the one its spec describes. It does not know ONNX Runtime.
"""

import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import IntegrityError, ModelFileError, SpecError, UsageError
from .golden import GOLDEN_KEY
from .onnx_file import OnnxStructure, TensorInfo, read_structure
from .seal import SEAL_KEY, check_seal_and_hash
from .spec import SPEC_KEY, ModelSpec
from .tensors import UINT8

INPUT_NAME = "image"
OUTPUT_NAME = "labels"
CONFIDENCE_NAME = "confidence"

# each runs as often as a number in the file says: 2**62 times where someone hostile wrote it
_REPEATING = ("Loop", "Scan", "SequenceMap")
_MAX_BYTES = (1 << 31) - 1  # protobuf's own limit for one message


@dataclass(frozen=True)
class ModelFile:
    """A model file that passed every check.

    Attributes:
        path: where it was read.
        data: its bytes: what was checked, and what ONNX Runtime is to be given (never the path: it could change).
        sha256: SHA-256 of the whole file, as `sha256sum` prints it; 64 lower-case hex digits. Not the seal's digest.
        spec: what the file says of itself.
        structure: what it holds.
        golden: its golden frames, packed (`golden.read_golden`); None where it carries none.
    """

    path: Path
    data: bytes
    sha256: str
    spec: ModelSpec
    structure: OnnxStructure
    golden: str | None = None


def load_model_file(path: str | os.PathLike[str], sha256: str | None = None) -> ModelFile:
    """Reads and checks a model file.

    Args:
        path: an ONNX file written by `segtool export`.
        sha256: what the whole file's SHA-256 must be, as `sha256sum` prints it (64 hex digits), for a program that
            accepts one file and no other. This is not the digest in the seal: the seal is part of the file.

    Raises:
        IntegrityError: no seal, a wrong one, or the file's SHA-256 is not `sha256`.
        SpecError: no spec, a malformed or newer one, or one that does not match the graph.
        ModelFileError: no such file, or not a model that segtool runs.
        UsageError: `sha256` is not 64 hex digits.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UsageError(f"sha256: expected 64 hex digits as `sha256sum` prints them, got {sha256!r}")
    path = Path(path)
    data = _read(path)
    spec, structure, file_hash = _check(data, str(path))
    if sha256 is not None and not hmac.compare_digest(sha256.lower(), file_hash):
        raise IntegrityError(
            f"{path}: expected the file with SHA-256 {sha256.lower()}, got {file_hash}; "
            "this is another model file than the one asked for: put the right one there or change the expected value"
        )
    golden = dict(structure.metadata).get(GOLDEN_KEY)
    return ModelFile(path=path, data=data, sha256=file_hash, spec=spec, structure=structure, golden=golden)


def check_model_bytes(data: bytes, where: str) -> tuple[ModelSpec, OnnxStructure]:
    """Makes every check of `load_model_file` on a sealed model in memory.

    Args:
        data: the bytes of a sealed model.
        where: its name, for error messages.

    Raises:
        ModelFileError: as load_model_file.
    """
    spec, structure, _ = _check(data, where)
    return spec, structure


def _check(data: bytes, where: str) -> tuple[ModelSpec, OnnxStructure, str]:
    _, file_hash = check_seal_and_hash(data, where)
    structure = read_structure(data, where)
    _refuse_foreign_parts(structure, where)
    _refuse_numbers_not_finite(structure, where)
    spec = _read_spec(structure, where)
    _match_door(spec, structure, where)
    return spec, structure, file_hash


def _read(path: Path) -> bytes:
    problem = None
    try:
        if path.is_dir():
            problem = "a folder"
        elif not path.exists():
            problem = "nothing of that name"
        elif not path.is_file():
            problem = "something that is no regular file"
        elif path.stat().st_size > _MAX_BYTES:
            problem = f"{path.stat().st_size} bytes, over the 2 GB that ONNX allows"
        elif not (data := path.read_bytes()):
            problem = "an empty file"
        else:
            return data
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        problem = f"an error ({getattr(error, 'strerror', None) or error})"
    raise ModelFileError(
        f"{path}: expected an ONNX model file, found {problem}; "
        "give the path of a file that `segtool export RUN` wrote (RUN/model.onnx)"
    )


def _refuse_foreign_parts(structure: OnnxStructure, where: str) -> None:
    ask = "export it again with `segtool export`, which writes one file with ONNX's own operators only"
    for tensor in structure.initializers:
        if tensor.external:
            raise ModelFileError(
                f"{where}: expected all weights inside the file, but tensor '{tensor.name}' has external data; {ask}"
            )
    if structure.local_code:
        raise ModelFileError(f"{where}: expected a plain graph, but the model has {structure.local_code[0]}; {ask}")
    for node in structure.nodes:
        if node.op_type in _REPEATING:
            raise ModelFileError(
                f"{where}: expected a graph without loops, but node '{node.name}' is a {node.op_type}; {ask}"
            )
    domains = {domain: f"the opset import '{domain}'" for domain in structure.opsets}
    domains |= {node.domain: f"node '{node.name}' is {node.domain}.{node.op_type}" for node in structure.nodes}
    for domain, found in domains.items():
        if domain:
            raise ModelFileError(f"{where}: expected ONNX's own operators only, but {found}; {ask}")
    if "" not in structure.opsets:
        raise ModelFileError(f"{where}: expected an import of ONNX's opset, got {dict(structure.opsets)}; {ask}")


def _refuse_numbers_not_finite(structure: OnnxStructure, where: str) -> None:
    # an int8 graph can turn a NaN among its weights into labels that look valid, so it has to be found here
    bad = [f"tensor '{tensor.name}'" for tensor in structure.initializers if not tensor.finite]
    bad += [f"an attribute of node '{node.name}' ({node.op_type})" for node in structure.nodes if not node.finite]
    if bad:
        raise ModelFileError(
            f"{where}: expected finite numbers only, but {bad[0]} holds NaN or infinity ({len(bad)} such in all); "
            "the network may have diverged in training: export an earlier checkpoint"
        )


def _read_spec(structure: OnnxStructure, where: str) -> ModelSpec:
    keys = [key for key, _ in structure.metadata]
    if SPEC_KEY not in keys or len(set(keys)) != len(keys) or not set(keys) <= {SPEC_KEY, GOLDEN_KEY, SEAL_KEY}:
        raise SpecError(
            f"{where}: expected metadata with one '{SPEC_KEY}', no key twice and beside it '{GOLDEN_KEY}' and "
            f"'{SEAL_KEY}' only, got {keys}; export the model again with `segtool export`"
        )
    spec = ModelSpec.from_json(dict(structure.metadata)[SPEC_KEY], where)
    if (spec.golden is not None) != (GOLDEN_KEY in keys):
        named, there = ("golden frames", "none") if spec.golden is not None else ("no golden frames", "some")
        raise SpecError(f"{where}: expected {named}, as the spec says, found {there}; export the model again")
    return spec


def _match_door(spec: ModelSpec, structure: OnnxStructure, where: str) -> None:
    names = (OUTPUT_NAME,) if spec.confidence is None else (OUTPUT_NAME, CONFIDENCE_NAME)
    maps = tuple(TensorInfo(name, UINT8, (spec.batch, *spec.labels_shape)) for name in names)
    doors = (
        ("input", structure.inputs, (TensorInfo(INPUT_NAME, UINT8, (spec.batch, *spec.frame_shape)),)),
        ("output", structure.outputs, maps),
    )
    for side, found, expected in doors:
        if found != expected:
            count = f"one {side}" if len(expected) == 1 else f"{len(expected)} {side}s"
            raise SpecError(
                f"{where}: expected {count}, {', '.join(map(_describe, expected))}, as the spec says, "
                f"got {', '.join(map(_describe, found)) or 'none'}; export the model again with `segtool export`"
            )


def _describe(tensor: TensorInfo) -> str:
    elements = {1: "fp32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "fp16"}
    return f"'{tensor.name}' {elements.get(tensor.elem_type, f'type {tensor.elem_type}')} {list(tensor.dims)}"
