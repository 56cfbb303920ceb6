"""Which nodes of a file an engine really computes in half precision, so that no report claims what did not happen."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from runtime.engine.providers import PROVIDERS
from runtime.engine.session import (
    ENGINE_ERRORS,
    VERSION,
    available,
    message_of,
    new_session,
    preload_libraries,
    quiet,
    session_options,
)
from runtime.errors import ProviderUnavailable, UsageError
from runtime.options import EngineOptions

# they copy or pick values, so that half or float32 gives the same bits: no arithmetic is done in either
_COPYING = frozenset(
    (
        *("Cast", "Clip", "Concat", "Flatten", "Gather", "Identity", "Max", "MaxPool", "Memcpy", "MemcpyFromHost"),
        *("MemcpyToHost", "Min", "Pad", "Relu", "ReorderInput", "ReorderOutput", "Reshape", "Slice", "Split"),
        *("Squeeze", "Transpose", "Unsqueeze", "Where"),
    )
)
# the others compile parts of a graph into one node, whose arithmetic is theirs to choose
_NODE_BY_NODE = frozenset({"CPUExecutionProvider", "CUDAExecutionProvider", "ROCMExecutionProvider"})
_PRECISIONS = (("float16", "half"), ("float", "float"))


@dataclass(frozen=True, kw_only=True)
class HalfArithmetic:
    """What ran in which precision, seen in ONNX Runtime's profile of one frame.

    Attributes:
        provider: segtool's name of it.
        asked: nodes of the file that ask for arithmetic in half.
        in_half: nodes that computed on float16 values and gave float16, by kind; copying ones are not counted.
        in_float: nodes that computed on float32 values, by kind, likewise.
        hidden: nodes that an engine runs as one (TensorRT), whose arithmetic no profile shows.
    """

    provider: str
    asked: int
    in_half: Mapping[str, int]
    in_float: Mapping[str, int]
    hidden: int

    @property
    def any_half(self) -> bool:
        """Whether arithmetic in half precision was seen."""
        return sum(self.in_half.values()) > 0

    def sentence(self) -> str:
        """For a report."""
        half, full = sum(self.in_half.values()), sum(self.in_float.values())
        text = (
            f"{self.provider}: the file asks {self.asked} nodes to compute in half precision, {half} did; "
            f"{full} computed in float32"
        )
        return f"{text}, {self.hidden} inside an engine that does not say" if self.hidden else text

    def report(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "provider": self.provider,
            "asked": self.asked,
            "half_arithmetic": None if self.hidden else self.any_half,
            "in_half": dict(self.in_half),
            "in_float": dict(self.in_float),
            "hidden": self.hidden,
        }


def half_arithmetic_on(data: bytes, provider: str = "cpu") -> HalfArithmetic:
    """Runs one black frame through a model file and reads from the profile what each node took and gave.

    ONNX Runtime's CPU provider puts casts around half nodes, removes them again between neighbours and computes all of
    them in float32, wider than the file says. Neither the file nor the optimised graph shows it; the profile does.

    Args:
        data: of a model with static shapes.
        provider: segtool's name of one that runs here.

    Raises:
        UsageError: no such provider.
        ProviderUnavailable: it does not run this model here.
    """
    if provider not in PROVIDERS:
        raise UsageError(f"provider: expected one of {', '.join(PROVIDERS)}, got {provider!r}")
    if PROVIDERS[provider] not in available():
        raise ProviderUnavailable(
            f"provider '{provider}': expected ONNX Runtime to have it, but the installed {VERSION} does not; see what "
            "runs here with: segtool doctor"
        )
    with tempfile.TemporaryDirectory(prefix="segtool-profile-") as folder:
        options = session_options(EngineOptions(), only_named_provider=provider != "cpu")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        try:
            with quiet():
                preload_libraries()
                session = new_session(data, options, PROVIDERS[provider])
            session.run(None, {value.name: np.zeros(value.shape, np.uint8) for value in session.get_inputs()})
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        except ENGINE_ERRORS as error:
            raise ProviderUnavailable(
                f"provider '{provider}': expected it to run the model once, but it says: {message_of(error)}; see what "
                "runs here with: segtool doctor"
            ) from error
    return _read(provider, _asked(data), events)


def _asked(data: bytes) -> int:
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(data), strict_mode=True).graph
    half = {info.name for info in graph.value_info if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}
    return sum(node.op_type not in _COPYING and not half.isdisjoint(node.output) for node in graph.node)


def _read(provider: str, asked: int, events: Iterable[Mapping[str, Any]]) -> HalfArithmetic:
    found: dict[str, Counter[str]] = {"half": Counter(), "float": Counter(), "hidden": Counter()}
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        arguments = event["args"]
        kind = arguments["op_name"]
        if arguments.get("provider") not in _NODE_BY_NODE:
            found["hidden"][kind] += 1
            continue
        takes, gives = (_types(arguments.get(side, ())) for side in ("input_type_shape", "output_type_shape"))
        precision = next((name for element, name in _PRECISIONS if element in takes & gives), None)
        if precision is not None and kind not in _COPYING:
            found[precision][kind] += 1
    return HalfArithmetic(
        provider=provider,
        asked=asked,
        in_half=dict(sorted(found["half"].items())),
        in_float=dict(sorted(found["float"].items())),
        hidden=sum(found["hidden"].values()),
    )


def _types(entries: Iterable[Mapping[str, object]]) -> set[str]:
    """Element types out of the profile's list of {"float16": [1, 3, 8, 8]}."""
    return {element for entry in entries for element in entry}
