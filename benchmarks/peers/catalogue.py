"""Every engine by name: its title, what it needs, and the function that opens it. Imports none of their packages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks.peers import engines, pytorch, tensorrt
from benchmarks.peers.job import Job, Opened
from runtime.errors import UsageError

OURS = "segtool"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that can take part.

    Attributes:
        title: as tables have it.
        opens: makes it ready, in the process that it is measured in.
        packages: that must be importable.
        install: what to type where they are not.
        on: "cpu", "gpu" or "both": what it computes on; it takes part where segtool computes on the same.
        needs: what it reads beside the compared file, of "float_file", "network_file" and "run".
        only_quantised: it takes part only where the compared file is not float32, or it would take part twice.
    """

    title: str
    opens: Callable[[Job], Opened]
    packages: tuple[str, ...] = ()
    install: str = ""
    on: str = "both"
    needs: tuple[str, ...] = ()
    only_quantised: bool = False


def _pytorch(title: str, opens: Callable[[Job], Opened]) -> Engine:
    return Engine(title=title, opens=opens, packages=("torch",), install='pip install "segtool[train]"', needs=("run",))


def _openvino(
    title: str,
    opens: Callable[[Job], Opened],
    needs: tuple[str, ...] = ("float_file",),
    *,
    only_quantised: bool = False,
) -> Engine:
    return Engine(
        title=title,
        opens=opens,
        packages=("openvino",),
        install='pip install "segtool[peers]"',
        on="cpu",
        needs=needs,
        only_quantised=only_quantised,
    )


ENGINES = {
    OURS: Engine(title="segtool", opens=engines.open_ours),
    "onnxruntime": Engine(
        title="plain ONNX Runtime fp32",
        opens=engines.open_plain_onnxruntime,
        packages=("onnx",),
        install='pip install "segtool[train]"',
        needs=("network_file",),
    ),
    "openvino-fp32": _openvino("OpenVINO fp32", engines.open_openvino_float32),
    "openvino": _openvino("OpenVINO default", engines.open_openvino),
    "openvino-same-file": _openvino(
        "OpenVINO, this file", engines.open_openvino_same_file, needs=(), only_quantised=True
    ),
    "pytorch": _pytorch("PyTorch eager fp32", pytorch.open_eager),
    "pytorch-channels-last": _pytorch("PyTorch channels_last fp32", pytorch.open_channels_last),
    "pytorch-autocast": _pytorch("PyTorch autocast", pytorch.open_autocast),
    "pytorch-compile": _pytorch("torch.compile fp32", pytorch.open_compiled),
    "tensorrt": Engine(
        title="TensorRT fp16",
        opens=tensorrt.open_tensorrt,
        packages=("tensorrt", "torch"),
        install="pip install tensorrt",
        on="gpu",
        needs=("float_file",),
    ),
}
PEER_NAMES = tuple(name for name in ENGINES if name != OURS)


def require_known(names: Sequence[str]) -> None:
    """Refuses names of peers that there are not.

    Raises:
        UsageError: one of them is none of `PEER_NAMES`, or stands there twice, or there is none.
    """
    unknown = [name for place, name in enumerate(names) if name not in PEER_NAMES or name in names[:place]]
    if unknown or not names:
        got = repr(unknown[0]) if unknown else "none"
        raise UsageError(f"--peers: expected names of {', '.join(PEER_NAMES)}, each once, got {got}; correct it")


def why_left_out(
    engine: Engine,
    job: Job,
    precision: str,
    find_package: Callable[[str], object] = find_spec,
) -> str | None:
    """Says why an engine can't take part, as far as that is known without opening it; None where it can.

    Args:
        engine: of `ENGINES`.
        job: what it would be given.
        precision: of the compared file.
        find_package: gives None where a package can't be imported.
    """
    absent = [package for package in engine.packages if find_package(package) is None]
    missing = [need for need in engine.needs if getattr(job, need) is None]
    if engine.only_quantised and precision == "fp32":
        return "the file is float32, which the other entries of this engine read already"
    if engine.on not in ("both", "cpu" if job.provider == "cpu" else "gpu"):
        return f"it computes on the {engine.on.upper()}, and segtool ran on provider {job.provider}"
    if absent:
        return f"the package {absent[0]} is not installed: {engine.install}"
    if "run" in missing:
        return "it needs the trained network: name the run that the file was exported from by --run"
    if missing:
        return "it needs the float32 graph of this file: name the run that the file was exported from by --run"
    return None
