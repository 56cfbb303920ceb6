"""What each node of a graph takes and makes, by ONNX Runtime's own profile, in a session apart from the timed one.

A profile's times are for shares: taking them costs time itself. Sizes in it are those of the graph as it runs: fused,
in its precision, in the provider's own layout.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.engine.providers import PROVIDERS
from runtime.engine.session import new_session, session_options
from runtime.errors import DataError
from runtime.model_file import INPUT_NAME, load_model_file
from runtime.options import EngineOptions

TIMED = ("cpu",)
"""Providers whose nodes are done when ONNX Runtime reads its clock; on a GPU they only wait in a queue by then."""

_WHOLE = ("tensorrt", "tensorrt-rtx")  # the graph is one node there, and opens from a folder of engines
_KERNEL = "_kernel_time"
_RUN = "model_run"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of the graph as it ran.

    Attributes:
        name: ONNX Runtime's; of one that was fused, it may be that of any of its parts ("relu_nchwc").
        op: its operator ("Conv", "QLinearConv"), of ONNX or of ONNX Runtime.
        ms: mean over the runs.
        share: of all nodes' time, 0 to 1.
        output_bytes: of all that it makes.
    """

    name: str
    op: str
    ms: float
    share: float
    output_bytes: int


def profile_nodes(
    path: Path, provider: str, options: EngineOptions, frames: Sequence[npt.NDArray[np.uint8]], warmup: int = 3
) -> list[Node]:
    """Runs frames through a session of its own with ONNX Runtime's profiler on; its file is gone afterwards.

    Args:
        path: the model file.
        provider: a name of PROVIDERS, as the Segmenter that was timed says it; never "auto".
        options: of that Segmenter. A CUDA graph is left out: it is one node.
        frames: what its `segment` takes, at least one; each is one run that counts.
        warmup: runs before, which do not count.

    Returns:
        The slowest first; none on TensorRT, which makes one node of the graph. Times mean something on `TIMED` only.

    Raises:
        ModelFileError: not a model that segtool runs.
        One of ENGINE_ERRORS: the provider does not run it, or not here.
    """
    if provider in _WHOLE:
        return []
    model = load_model_file(path)
    with tempfile.TemporaryDirectory(prefix="segtool-profile-") as folder:
        asked = session_options(options, only_named_provider=False)
        asked.enable_profiling = True
        asked.profile_file_prefix = str(Path(folder) / "profile")
        session = new_session(model.data, asked, PROVIDERS[provider], replace(options, cuda_graph=False))
        for frame in [*[frames[0]] * warmup, *frames]:
            session.run(None, {INPUT_NAME: frame if model.spec.batch > 1 else frame[np.newaxis]})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return nodes_of(events, len(frames))


def nodes_of(events: Sequence[Mapping[str, Any]], runs: int) -> list[Node]:
    """Reads the nodes out of a profile.

    Args:
        events: of ONNX Runtime's JSON; `dur` and `ts` in microseconds.
        runs: how many of the last runs in it count.

    Raises:
        DataError: there are not so many, or nothing was timed in them.

    Source: https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html
    """
    begun = sorted(event["ts"] for event in events if event["name"] == _RUN)
    if runs < 1 or len(begun) < runs:
        raise DataError(f"the profile: expected {runs} runs in it, at least 1, got {len(begun)}; report this")
    total_us: defaultdict[tuple[str, str], int] = defaultdict(int)
    output_bytes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for event in events:
        if event["cat"] != "Node" or not event["name"].endswith(_KERNEL) or event["ts"] < begun[-runs]:
            continue
        key = event["name"].removesuffix(_KERNEL), event["args"]["op_name"]
        total_us[key] += event["dur"]
        output_bytes[key] = max(output_bytes[key], int(event["args"].get("output_size", 0)))
    whole_us = sum(total_us.values())
    if not whole_us:
        raise DataError(f"the profile: expected times of nodes in its last {runs} runs, got none; report this")
    nodes = [
        Node(name=name, op=op, ms=us / runs / 1e3, share=us / whole_us, output_bytes=output_bytes[name, op])
        for (name, op), us in total_us.items()
    ]
    return sorted(nodes, key=lambda node: node.ms, reverse=True)
