"""`segtool inspect`: what a model file says of itself, after every check that the runtime makes when it loads one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runtime.model_file import ModelFile
    from runtime.onnx_file import OnnxStructure, TensorInfo
    from runtime.spec import ModelSpec

# TensorProto.DataType of the ONNX specification (onnx.proto), as far as a segtool file uses it
ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}

EXAMPLES = """\b
Examples:
  segtool inspect runs/a/model.onnx
  segtool inspect runs/a/model.fp16.onnx | grep sha256"""


@click.command(epilog=EXAMPLES, short_help="Check a model file and show what is in it.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
def inspect(file: Path) -> None:
    """Check FILE.onnx and show its spec, seal, inputs and outputs, nodes, bytes and proof.

    A file that is altered, truncated or not ours ends with exit code 4.
    """
    from runtime.model_file import load_model_file
    from runtime.seal import check_seal
    from segtool.console import show_table

    model = load_model_file(file)
    seal = check_seal(model.data, str(file))
    show_table(f"{file}", ("", ""), [*_file_rows(model, seal), *_spec_rows(model.spec)])
    show_table("training", ("", ""), _mapping_rows(model.spec.training))
    show_table("parity", ("", ""), _mapping_rows(model.spec.parity or {"result": "no proof in this file"}))
    show_table("inputs and outputs", ("", "name", "type", "shape"), _tensor_rows(model.structure))
    show_table("classes", ("id", "name", "colour"), _class_rows(model.spec))
    show_table("nodes", ("op", "count"), _node_rows(model.structure))


def _file_rows(model: "ModelFile", seal: str) -> list[tuple[str, str]]:
    structure = model.structure
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in structure.opsets.items())
    weights = sum(initializer.bytes_len for initializer in structure.initializers)
    return [
        ("bytes", f"{len(model.data):,}"),
        ("sha256", model.sha256),
        ("seal", f"intact, {seal}"),
        ("format", f"IR version {structure.ir_version}, opset {opsets}"),
        ("weights", f"{weights:,} bytes in {len(structure.initializers)} tensors"),
    ]


def _spec_rows(spec: "ModelSpec") -> list[tuple[str, str]]:
    return [
        ("spec", f"schema version {spec.schema_version}"),
        ("size", f"{spec.width_px}x{spec.height_px}, batch {spec.batch}, {spec.input_layout}"),
        ("precision", spec.precision),
        ("label space", f"{spec.label_space}, {len(spec.classes)} classes, ignore id {spec.ignore_id}"),
        ("mean, std", f"{_numbers(spec.mean)}, {_numbers(spec.std)} (inside the graph)"),
        ("resize before", spec.resize),
        ("producer", ", ".join(f"{key} {value}" for key, value in spec.producer.items()) or "-"),
        ("licence note", spec.licence_note or "-"),
    ]


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _mapping_rows(document: object, prefix: str = "") -> list[tuple[str, str]]:
    """Flattens a JSON object: nested keys are joined with dots, a list stays on one line."""
    if not isinstance(document, Mapping):
        return [(prefix, _shown(document))]
    rows: list[tuple[str, str]] = []
    for key, value in document.items():
        rows += _mapping_rows(value, f"{prefix}.{key}" if prefix else str(key))
    return rows


def _tensor_rows(structure: "OnnxStructure") -> list[tuple[str, str, str, str]]:
    def row(side: str, tensor: "TensorInfo") -> tuple[str, str, str, str]:
        kind = ELEMENT_TYPES.get(tensor.elem_type, f"type {tensor.elem_type}")
        return side, tensor.name, kind, f"[{', '.join(str(dim) for dim in tensor.dims)}]"

    return [*(row("input", each) for each in structure.inputs), *(row("output", each) for each in structure.outputs)]


def _class_rows(spec: "ModelSpec") -> list[tuple[int, str, str]]:
    return [
        (index, name, "#{:02x}{:02x}{:02x}".format(*colour))
        for index, (name, colour) in enumerate(zip(spec.classes, spec.palette, strict=True))
    ]


def _node_rows(structure: "OnnxStructure") -> list[tuple[str, int]]:
    counts = Counter(node.op_type for node in structure.nodes)
    return [*counts.most_common(), ("all", sum(counts.values()))]
