"""The graphs that peers read, made of the compared file or of its run; and whether that run is the file's.

Needs onnx, and torch where a run is named.
"""

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from runtime.errors import CheckpointError, UsageError
from runtime.model_file import ModelFile
from runtime.spec import ModelSpec

if TYPE_CHECKING:
    import onnx

    from trainer.evaluate import TrainedNetwork

_ROUNDING = {"fp32": 1e-5, "fp16": 1e-3, "int8": 1e-5}
"""How far a weight may be off its run's, as a share of the tensor's largest: other versions of torch fold otherwise."""


@dataclass(frozen=True, kw_only=True)
class PeerFiles:
    """What peers read.

    Attributes:
        float_file: bytes to labels in float32; the compared file itself where it is float32; None without a run else.
        network_file: normalised float32 [1,3,H,W] -> logits [1,C,H,W]; None where there is no onnx or no float_file.
    """

    float_file: Path | None
    network_file: Path | None


def require_plain_door(file: ModelFile, where: Path) -> None:
    """Refuses files that do more between bytes and labels than the peers do.

    Raises:
        UsageError: a camera's layout or size, confidence, or batches.
    """
    spec = file.spec
    more = {"a camera": spec.camera is not None, "confidence": spec.confidence is not None, "batches": spec.batch > 1}
    found = [name for name, present in more.items() if present]
    if found:
        raise UsageError(
            f"{where}: peers are compared from RGB frames of the network's size to labels, got a file for "
            f"{' and '.join(found)}; export the run without, and compare that file"
        )


def make_files(file: ModelFile, where: Path, run: Path | None, folder: Path) -> PeerFiles:
    """Makes the graphs that peers read, and refuses a run that is not the file's.

    The float32 file of one that is not float32 is traced from the run, as export does it. The network is cut out of it
    between `normalised` and `logits`: float in, logits out, as most export theirs.

    Args:
        file: that is compared.
        where: it lies.
        run: that it was exported from; None where not named.
        folder: to put them in.

    Raises:
        CheckpointError: the run has no usable checkpoint, or its weights are not those of the file.
        ModelFileError: the file has no such network.
    """
    if find_spec("onnx") is None:
        return PeerFiles(float_file=where if file.spec.precision == "fp32" else None, network_file=None)
    import onnx

    from export.numerics.network_model import cut_network

    graph = onnx.load_from_string(file.data)
    float_file = where if file.spec.precision == "fp32" else None
    if run is not None:
        from trainer.evaluate import load_trained

        trained = load_trained(run / "best.safetensors")
        traced = graph if float_file is not None else _traced(trained, file)
        require_same_weights(graph, _weights(trained, traced, file.spec), file, where, run)
        if float_file is None:
            graph, float_file = traced, folder / "float.onnx"
            onnx.save(graph, float_file)
    if float_file is None:
        return PeerFiles(float_file=None, network_file=None)
    onnx.save(cut_network(graph), folder / "network.onnx")
    return PeerFiles(float_file=float_file, network_file=folder / "network.onnx")


def require_same_weights(
    graph: "onnx.ModelProto", wanted: Mapping[str, NDArray[np.float32]], file: ModelFile, where: Path, run: Path
) -> None:
    """Refuses a run whose weights are not those in the file, up to its precision's rounding.

    The spec names the run, but two trainings may bear one name; so the weights themselves are held against each other.

    Args:
        graph: of the file.
        wanted: the run's weights, as the file should have them before they were rounded.
        file: for its precision and the message.
        where: for the message.
        run: for the message.

    Raises:
        CheckpointError: one of them differs, or a kernel is not there.
    """
    stored = stored_weights(graph)
    rounding = _ROUNDING[file.spec.precision]
    different = [
        name
        for name, values in wanted.items()
        # equal biases are stored once, under one of their names; kernels are all there
        if (name in stored and not _same(values, *stored[name], rounding)) or (name not in stored and values.ndim == 4)
    ]
    if not different:
        return
    digest = hashlib.sha256((run / "best.safetensors").read_bytes()).hexdigest()
    own = file.spec.training.get("run", "unknown")
    raise CheckpointError(
        f"{run}: expected the run that {where} (sha256 {file.sha256[:16]}) was exported from, got a checkpoint of "
        f"sha256 {digest[:16]}, and its {different[0]!r} is another; name the file's own run, {own}, by --run"
    )


def stored_weights(graph: "onnx.ModelProto") -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Reads a graph's weights as real numbers, under the names that they had in float32.

    Returns:
        By name the values, and the step between two values that can be stored (0 where it is not quantised), both
        float64 and of shapes that broadcast.
    """
    from onnx import numpy_helper

    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    found = {
        name: (values.astype(np.float64), np.zeros(()))
        for name, values in tensors.items()
        if values.dtype in (np.float32, np.float16)
    }
    for node in graph.graph.node:
        name = node.input[0].removesuffix("_quantized") if node.op_type == "DequantizeLinear" else ""
        if name and node.input[0] in tensors and node.input[1] in tensors:
            steps, zeros = tensors[node.input[1]], tensors[node.input[2]]
            values = tensors[node.input[0]].astype(np.float64)
            if steps.size > 1:
                axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
                shape = [steps.size if place == axis % values.ndim else 1 for place in range(values.ndim)]
                steps, zeros = steps.reshape(shape), zeros.reshape(shape)
            found[name] = ((values - zeros) * steps.astype(np.float64), steps.astype(np.float64))
    return found


def _same(wanted: NDArray[np.float32], values: NDArray[np.float64], step: NDArray[np.float64], rounding: float) -> bool:
    slack = rounding * max(float(np.abs(wanted).max(initial=0.0)), 1e-12)
    return values.shape == wanted.shape and bool((np.abs(values - wanted) <= step / 2 + slack).all())


def _weights(trained: "TrainedNetwork", traced: "onnx.ModelProto", spec: ModelSpec) -> dict[str, NDArray[np.float32]]:
    """The run's weights by the names that the file has for them, float32, with batch norms folded.

    Args:
        trained: the run's network.
        traced: the float32 graph of it; int8 rewrites transposed convolutions of it under names of their own.
        spec: of the file.
    """
    from onnx import numpy_helper

    from export.graph.deploy import fold_batch_norms
    from export.numerics.int8 import Target, prepare

    if spec.precision == "int8":
        prepared = prepare(traced, cast(Target, (spec.numerics or {}).get("target", "cpu")))
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in prepared.graph.initializer}
    else:
        folded = fold_batch_norms(copy.deepcopy(trained.network)).state_dict()
        tensors = {f"network.{name}": tensor.numpy() for name, tensor in folded.items()}
    return {name: values for name, values in tensors.items() if values.dtype == np.float32}


def _traced(trained: "TrainedNetwork", file: ModelFile) -> "onnx.ModelProto":
    from export.graph.deploy import Deploy
    from export.graph.trace import trace
    from export.proof.door import settings_like

    spec = file.spec
    return trace(
        Deploy(trained.network, settings_like(spec), spec.height_px, spec.width_px, mean=spec.mean, std=spec.std)
    )
