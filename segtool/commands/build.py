"""`segtool build`: the TensorRT engine of a model file, ahead of time: a vehicle builds none while it drives."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  segtool build model.fp16.onnx --provider tensorrt --cache /var/lib/segtool/engines

Build on the computer that will serve. The engine goes into a folder named by all that can change it: the model's hash,
the provider's options, the versions of ONNX Runtime, TensorRT, CUDA and driver, the GPU. Serving it:

\b
  Segmenter("model.fp16.onnx", "tensorrt", options=EngineOptions(engine_cache="/var/lib/segtool/engines"))"""


@click.command(epilog=EXAMPLES, short_help="Build a model's TensorRT engine ahead of time.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.option("--provider", required=True, help="tensorrt; cpu, cuda and the others need no engine.")
@click.option("--cache", required=True, metavar="FOLDER", type=click.Path(path_type=Path), help="Where engines stand.")
@click.option("--device", default=0, show_default=True, metavar="N", help="Which GPU.")
@click.option("--anew", is_flag=True, help="Build again where there is a sound one.")
def build(file: Path, provider: str, cache: Path, device: int, anew: bool) -> None:
    """Build the TensorRT engine of FILE.onnx for this computer. Takes minutes.

    The cache gets the whole engine or nothing. A sound engine that is there already is left as it is.
    """
    from runtime.engine.opening import PROVIDERS
    from runtime.engine.tensorrt import build_for_tensorrt
    from runtime.errors import UsageError
    from runtime.model_file import load_model_file
    from runtime.options import EngineOptions
    from segtool.console import say

    if provider not in PROVIDERS:
        raise UsageError(f"--provider: expected tensorrt, got {provider!r}; correct the name")
    if provider != "tensorrt":
        raise UsageError(
            f"--provider: expected tensorrt, got {provider}, for which nothing is to be built; it runs {file} as it is"
        )
    model = load_model_file(file)
    options = EngineOptions(device_id=device, engine_cache=cache)
    begun = time.monotonic()
    with _spinning(f"building the TensorRT engine of {file}, which takes minutes"):
        folder = build_for_tensorrt(model.data, options, str(file), anew=anew)
    say(f"{folder}: the engine of {file}, {time.monotonic() - begun:.1f} s")


@contextlib.contextmanager
def _spinning(text: str) -> Iterator[None]:
    """Shows that something is under way, on stderr where that is a terminal."""
    from rich.console import Console
    from rich.text import Text

    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(Text(text)):
        yield
