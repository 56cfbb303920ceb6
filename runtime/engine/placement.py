"""Where the nodes of a model run, in what precision and on what versions, as plain data."""

import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .. import __version__
from ..onnx_file import OnnxStructure
from .nvidia import library_versions
from .opening import PROVIDERS
from .precision import half_nodes
from .session import ENGINE_ERRORS, VERSION, message_of

_LIBRARIES = {"cuda": ("cuda", "cudnn"), "tensorrt": ("cuda", "cudnn", "tensorrt"), "tensorrt-rtx": ("cuda",)}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What runs where.

    Attributes:
        provider: that the session was opened on.
        nodes: name of a provider -> how many nodes ONNX Runtime gave to it, before some are fused, and before
            casts are put around what a CPU has in fp32 only; None where this ONNX Runtime does not tell.
        half_nodes: how many nodes of the file take or give half precision, converting ones (Cast) left out.
        cuda_graph: "captured" where each run replays a CUDA graph; "off" or why not where it does not.
        versions: of what can change an answer, by name.
        sha256: of the model file.
        notes: what these do not say by themselves, a sentence each.
    """

    provider: str
    nodes: Mapping[str, int] | None
    half_nodes: int
    cuda_graph: str
    versions: Mapping[str, str]
    sha256: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As plain data, for a log or as JSON."""
        return {**asdict(self), "notes": list(self.notes)}


def placement_of(
    session: Any,  # noqa: ANN401  # onnxruntime has no types
    provider: str,
    structure: OnnxStructure,
    sha256: str,
    cuda_graph: str,
) -> Placement:
    """Asks a session where it put the nodes.

    Args:
        session: from `open_session`.
        provider: the name that came with it.
        structure: of the model file.
        sha256: of the model file.
        cuda_graph: what the engine says of it.
    """
    nodes, notes = _counted(session)
    half = half_nodes(structure)
    if half and provider == "cpu":
        notes.append(
            f"the CPU computes the {half} nodes in half precision in fp32 between casts "
            "(an ARM CPU with half arithmetic: some of them in half)"
        )
    versions = {
        "segtool-runtime": __version__,
        "onnxruntime": VERSION,
        "numpy": np.__version__,
        "python": platform.python_version(),
        **library_versions(_LIBRARIES.get(provider, ())),
    }
    return Placement(
        provider=provider,
        nodes=nodes,
        half_nodes=half,
        cuda_graph=cuda_graph,
        versions=versions,
        sha256=sha256,
        notes=tuple(notes),
    )


def _counted(session: Any) -> tuple[dict[str, int] | None, list[str]]:  # noqa: ANN401
    ask = getattr(session, "get_provider_graph_assignment_info", None)
    if ask is None:
        return None, [f"ONNX Runtime {VERSION} does not tell which provider runs which node"]
    try:
        parts = ask()
    except ENGINE_ERRORS as error:
        return None, [f"ONNX Runtime {VERSION} did not tell which provider runs which node: {message_of(error)}"]
    short = {full: name for name, full in PROVIDERS.items()}
    counts: Counter[str] = Counter()
    for part in parts:
        counts[short.get(part.ep_name, part.ep_name)] += len(part.get_nodes())
    return dict(counts.most_common()), []
