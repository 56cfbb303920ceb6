"""`segtool inspect`: what a model file says of itself, after every check that the runtime makes when it loads one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segtool.engine_flags import CACHE, engine_options

if TYPE_CHECKING:
    from runtime.engine.placement import Placement
    from runtime.model_file import ModelFile
    from runtime.onnx_file import OnnxStructure, TensorInfo
    from runtime.options import EngineOptions
    from runtime.spec import ModelSpec

# TensorProto.DataType of the ONNX specification (onnx.proto), as far as a segtool file uses it
ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}

EXAMPLES = """\b
Examples:
  segtool inspect runs/a/model.onnx
  segtool inspect runs/a/model.fp16.onnx --nodes
  segtool inspect runs/a/model.fp16.onnx | grep sha256
  segtool inspect runs/a/model.fp16.onnx --provider cuda"""


@click.command(epilog=EXAMPLES, short_help="Check a model file and show what is in it.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.option("--nodes", is_flag=True, help="Also list every node with what it takes and gives, in the file's order.")
@click.option(
    "--provider", help="Also open the file there (cuda, cpu ...), and show what runs where: whole, or not at all."
)
@CACHE
def inspect(file: Path, nodes: bool, provider: str | None, cache: Path | None) -> None:
    """Check FILE.onnx and show its spec, seal, inputs and outputs, nodes, bytes and proof.

    A file that is altered, truncated or not ours ends with exit code 4.
    """
    from runtime.model_file import load_model_file
    from runtime.seal import check_seal
    from segtool.console import show_table

    options = engine_options(provider, cache)
    model = load_model_file(file)
    seal, spec = check_seal(model.data, str(file)), model.spec
    show_table(f"{file}", ("", ""), [*_file_rows(model, seal), *_spec_rows(spec), *_golden_rows(model)])
    show_table("training", ("", ""), _mapping_rows(spec.training))
    show_table("parity", ("", ""), _mapping_rows(spec.parity or {"result": "no proof in this file"}))
    if spec.numerics:
        show_table("numerics", ("", ""), _mapping_rows(spec.numerics))
    show_table("inputs and outputs", ("", "name", "type", "shape"), _tensor_rows(model.structure))
    show_table("classes", ("id", "name", "colour", "expected"), _class_rows(spec))
    show_table("nodes", ("op", "count", "bytes of weights"), _op_rows(model.structure))
    if nodes:
        show_table("every node", ("op", "name", "takes", "gives"), _node_rows(model.structure))
    if provider is not None:
        placement = _placement(file, provider, options)
        show_table(f"placement on {placement.provider}", ("", ""), _placement_rows(placement))


def _placement(file: Path, provider: str, options: "EngineOptions") -> "Placement":
    from runtime.segmenter import Segmenter

    with Segmenter(file, provider, options=options) as segmenter:
        return segmenter.placement()


def _placement_rows(placement: "Placement") -> list[tuple[str, object]]:
    nodes: Mapping[str, object] = {"any": "not told"} if placement.nodes is None else placement.nodes
    return [
        *((f"nodes on {name}", count) for name, count in nodes.items()),
        ("nodes in half precision", placement.half_nodes),
        ("CUDA graph", placement.cuda_graph),
        ("versions", _line(placement.versions)),
        ("sha256", placement.sha256),
        *(("note", note) for note in placement.notes),
    ]


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
    height_px, width_px = spec.labels_shape
    enlarged = "" if spec.labels_at == "network" else f", enlarged from {spec.labels_from}"
    return [
        ("spec", f"schema version {spec.schema_version}"),
        *_camera_rows(spec),
        ("network", f"{spec.width_px}x{spec.height_px}, {spec.precision}"),
        ("labels", f"{width_px}x{height_px}{enlarged}"),
        ("confidence", _line(spec.confidence)),
        ("expected", _expectation(spec)),
        ("label space", f"{spec.label_space}, {len(spec.classes)} classes, ignore id {spec.ignore_id}"),
        ("mean, std", f"{_numbers(spec.mean)}, {_numbers(spec.std)} (inside the graph)"),
        ("producer", _line(spec.producer)),
        ("licence note", spec.licence_note or "-"),
    ]


def _camera_rows(spec: "ModelSpec") -> list[tuple[str, str]]:
    camera = spec.camera
    batch = f"uint8 {list(spec.frame_shape)}, batch {spec.batch}"
    if camera is None:
        return [
            ("frame", f"{spec.width_px}x{spec.height_px} {spec.layout}, {batch}"),
            ("resize before", f"{spec.resize}, by the caller"),
        ]
    rows = [("frame", f"{camera.width_px}x{camera.height_px} {camera.layout}, {batch}")]
    if camera.yuv_matrix is not None:
        rows.append(("colour", f"{camera.yuv_matrix}, {camera.yuv_range} range"))
    if camera.crop is not None:
        x, y, width, height = camera.crop
        rows.append(("crop", f"{width}x{height} from x {x}, y {y}: the network sees nothing else"))
    how = "none" if camera.resize == "none" else f"{spec.resize}, in the graph by {camera.resize}"
    return [*rows, ("resize", how)]


def _expectation(spec: "ModelSpec") -> str:
    expected: Any = spec.expected
    if expected is None:
        return "-"
    unsure = "" if expected["unsure"] is None else f", of unsure pixels up to {expected['unsure']:.3f}"
    return f"shares of a frame as in {expected['frames']} frames of its proof{unsure}; of each class below"


def _golden_rows(model: "ModelFile") -> list[tuple[str, str]]:
    golden = model.spec.golden
    if golden is None or model.golden is None:
        return [("golden frames", "-")]
    agreement = _line(golden["agreement"]).replace("*", "others")
    told = f"{golden['frames']} of {golden['source']}, {len(model.golden):,} bytes; must agree: {agreement}"
    return [("golden frames", told)]


def _line(document: object) -> str:
    """A JSON object in one line."""
    return ", ".join(f"{key} {value}" for key, value in _mapping_rows(document)) if document else "-"


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


def _class_rows(spec: "ModelSpec") -> list[tuple[int, str, str, str]]:
    shares: Any = spec.expected["shares"] if spec.expected is not None else {}
    ranges = ["{:.3f} to {:.3f}".format(*shares[name]) if name in shares else "-" for name in spec.classes]
    return [
        (index, name, "#{:02x}{:02x}{:02x}".format(*colour), expected)
        for index, (name, colour, expected) in enumerate(zip(spec.classes, spec.palette, ranges, strict=True))
    ]


def _op_rows(structure: "OnnxStructure") -> list[tuple[str, int, str]]:
    """Operators by how many there are; a tensor that several of them take counts for the first."""
    counts = Counter(node.op_type for node in structure.nodes)
    owner = {f"{node.name or node.op_type}": node.op_type for node in reversed(structure.nodes)}
    takers = {name: node.op_type for node in reversed(structure.nodes) for name in node.inputs}
    weights: Counter[str] = Counter()
    for tensor in structure.initializers:
        # a tensor in an attribute is called NODE.ATTRIBUTE
        op = takers.get(tensor.name) or owner.get(tensor.name.rpartition(".")[0], "")
        weights[op] += tensor.bytes_len
    rows = [(op, count, f"{weights[op]:,}") for op, count in counts.most_common()]
    return [*rows, ("all", sum(counts.values()), f"{sum(weights.values()):,}")]


def _node_rows(structure: "OnnxStructure") -> list[tuple[str, str, str, str]]:
    return [
        (node.op_type, node.name or "-", ", ".join(name or "-" for name in node.inputs), ", ".join(node.outputs))
        for node in structure.nodes
    ]
