"""Where ONNX Runtime's CUDA provider would place each node of a model, asked on a machine without a GPU.

    python placement.py MODEL.onnx

Opens real sessions: ONNX Runtime's own optimiser, partitioner and CUDA kernel registry decide. Only the libraries that
the CUDA provider of the onnxruntime-gpu wheel links (CUDA runtime, cuBLAS, cuBLASLt, cuRAND, driver) are stand-ins,
built here and loaded first. Nothing can be run, and the process that loaded them is good for nothing else: tests call
`place`, which starts one. Seen working with onnxruntime-gpu 1.31.1 on Linux x86-64.

Knows nothing of segtool's graphs; any ONNX file will do.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("standin.c")
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
# which undefined symbols of the provider belong to which library
SYMBOLS = {
    "libcudart": r"_{0,2}cuda",
    "libcublas": r"cublas(?!Lt)",
    "libcublasLt": r"cublasLt",
    "libcuda": r"cu[A-Z]",
    "libcurand": r"curand",
}
CREATES_HANDLE = r"cublas(Lt)?Create(_v2)?$"  # the provider refuses a null handle
LONGEST_S = 120


class UnavailableError(RuntimeError):
    """The question can't be asked on this machine; says why."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What ONNX Runtime decided.

    Attributes:
        nodes: how many nodes each provider takes, by ONNX Runtime's name of it; constants are folded before and not
            counted.
        not_on_cuda: "op_type name" of each node that another provider takes.
        copies: Memcpy nodes that were put in between GPU and CPU.
        fused: op types of the optimised graph and how often each stands in it.
        error: why no session opened at all, else None.
        graph_error: why a session with CUDA graph capture is refused, else None.
    """

    nodes: dict[str, int]
    not_on_cuda: list[str]
    copies: int
    fused: dict[str, int]
    error: str | None
    graph_error: str | None

    @property
    def whole(self) -> bool:
        """Every node on CUDA, no copy on the way, capture as a CUDA graph accepted."""
        return set(self.nodes) == {CUDA} and self.copies == 0 and self.error is None and self.graph_error is None


def place(model: Path, standins: Path) -> Placement:
    """Asks in a process of its own.

    Args:
        model: an ONNX file.
        standins: the folder that `build` filled.

    Raises:
        RuntimeError: the process ended without an answer.
    """
    command = [sys.executable, __file__, "--standins", str(standins), str(model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    if not done.stdout.startswith("{"):
        raise RuntimeError(
            f"{model}: expected an answer, the process ended with {done.returncode}: {done.stderr[-400:]}"
        )
    return Placement(**json.loads(done.stdout))


def build(folder: Path) -> None:
    """Builds the stand-in libraries into a folder, under the names that the installed CUDA provider asks for.

    Raises:
        UnavailableError: a tool, the CUDA headers or the CUDA provider is not there.
    """
    for tool in ("gcc", "nm", "readelf"):
        if shutil.which(tool) is None:
            raise UnavailableError(f"{tool} is not installed")
    provider = _provider_library()
    needed = re.findall(r"NEEDED.*\[(lib\w+)(\.so[.\d]*)\]", _output("readelf", "-d", provider))
    sonames = {stem: stem + version for stem, version in needed if stem in SYMBOLS}
    include = _headers(sonames.get("libcudart", "no libcudart"))
    # "U cudaMalloc@libcudart.so.13": a name and, where its library versions its symbols, that version
    symbols = sorted({line.split()[-1] for line in _output("nm", "-D", "--undefined-only", provider).splitlines()})
    for stem, soname in sonames.items():
        mine = [symbol for symbol in symbols if re.match(SYMBOLS[stem], symbol)]
        _build_library(folder / soname, mine, include, [SOURCE] if stem == "libcudart" else [])


def _build_library(library: Path, symbols: list[str], include: Path, sources: list[Path]) -> None:
    rest, versions = library.with_suffix(".rest.c"), library.with_suffix(".map")
    rest.write_text("\n".join(_filler(symbol.partition("@")[0]) for symbol in symbols) + "\n")
    versions.write_text(f"{library.name} {{ global: *; }};\n")
    versioned = any(symbol.endswith(f"@{library.name}") for symbol in symbols)
    flags = ["-shared", "-fPIC", "-w", f"-I{include}", f"-Wl,-soname,{library.name}"]
    flags += [f"-Wl,--version-script={versions}"] if versioned else []
    _output("gcc", *flags, "-o", library, rest, *sources)


def _filler(symbol: str) -> str:
    """A function that does nothing and says success, weak so that one of standin.c takes its place."""
    weak = f"__attribute__((weak)) int {symbol}"
    if re.match(CREATES_HANDLE, symbol):
        return f"static char {symbol}_handle[64];\n{weak}(void **handle) {{ *handle = {symbol}_handle; return 0; }}"
    return f"{weak}() {{ return 0; }}"


def _provider_library() -> Path:
    package = find_spec("onnxruntime")
    library = "libonnxruntime_providers_cuda.so"
    path = Path(package.origin).parent / "capi" / library if package and package.origin else None
    if path is None or not path.exists():
        raise UnavailableError(f"onnxruntime-gpu for Linux is not installed (no {library})")
    return path


def _headers(cudart: str) -> Path:
    """The CUDA headers that triton carries, which torch brings on Linux; of the provider's own major version."""
    package = find_spec("triton")
    include = Path(package.origin).parent / "backends" / "nvidia" / "include" if package and package.origin else None
    header = include / "cuda_runtime_api.h" if include else None
    if include is None or header is None or not header.exists():
        raise UnavailableError(
            "no CUDA headers: triton, which torch brings on Linux x86-64 and which has them, is missing"
        )
    version = re.search(r"#define CUDART_VERSION\s+(\d+)\d{3}", header.read_text())
    if version is None or cudart != f"libcudart.so.{version[1]}":
        raise UnavailableError(f"the CUDA headers are of another version than the CUDA provider, which needs {cudart}")
    return include


def _output(*command: object) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def _ask(model: Path, standins: Path) -> Placement:
    """Loads the stand-ins into this process and opens the model twice: as it is, and for capture as a CUDA graph."""
    for library in sorted(standins.glob("*.so.*[0-9]")):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    from runtime.engine.session import ENGINE_ERRORS

    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        try:
            session = _open(model, {}, optimised)
        except ENGINE_ERRORS as error:
            return Placement(nodes={}, not_on_cuda=[], copies=0, fused={}, error=str(error), graph_error=str(error))
        fused = _op_types(optimised)
    try:
        _open(model, {"enable_cuda_graph": "1"}, None)
        graph_error = None
    except ENGINE_ERRORS as error:
        graph_error = str(error)
    taken = [(part.ep_name, node) for part in session.get_provider_graph_assignment_info() for node in part.get_nodes()]
    return Placement(
        nodes=dict(Counter(provider for provider, _ in taken)),
        not_on_cuda=[f"{node.op_type} {node.name}" for provider, node in taken if provider != CUDA],
        copies=sum(count for kind, count in fused.items() if kind.startswith("Memcpy")),
        fused=fused,
        error=None,
        graph_error=graph_error,
    )


def _open(model: Path, settings: dict[str, str], optimised: Path | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    # the constructor's own fallback would open a session on the CPU and hide the refusal
    return onnxruntime.InferenceSession(model, options, providers=[(CUDA, settings), CPU], enable_fallback=0)


def _op_types(model: Path) -> dict[str, int]:
    import onnx

    return dict(Counter(node.op_type for node in onnx.load(model).graph.node).most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--standins", type=Path, help="folder that build() filled; built anew where it is not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        standins = arguments.standins or Path(folder)
        try:
            if arguments.standins is None:
                build(standins)
            placement = _ask(arguments.model, standins)
        except UnavailableError as reason:
            parser.exit(2, f"{reason}\n")
    sys.stdout.write(json.dumps(asdict(placement)) + "\n")
    sys.stdout.flush()
    os._exit(0 if placement.whole else 1)  # no clean-up: the stand-ins know no device to give back


if __name__ == "__main__":
    main()
