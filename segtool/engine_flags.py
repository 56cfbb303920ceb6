"""The flag for a folder of TensorRT engines, and the engine options out of flags. Imports no engine by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runtime.options import EngineOptions

CACHE = click.option(
    "--cache", metavar="FOLDER", type=click.Path(path_type=Path), help="For --provider tensorrt: of `segtool build`."
)


def engine_options(provider: str | None, cache: Path | None, threads: int | None = None) -> "EngineOptions":
    """Composes the options of an engine.

    Args:
        provider: that was named; None where there was none.
        cache: folder of engines.
        threads: as EngineOptions has them.

    Raises:
        UsageError: a folder of engines for a provider that has none.
    """
    from runtime.errors import UsageError
    from runtime.options import EngineOptions

    if cache is not None and provider != "tensorrt":
        got = "no provider" if provider is None else provider
        raise UsageError(f"--cache {cache}: expected --provider tensorrt with it, got {got}; name it, or leave it out")
    return EngineOptions(threads=threads, engine_cache=None if cache is None else str(cache))
