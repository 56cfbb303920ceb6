"""The command line of segtool: parse, call one function, print. The floors below do the work."""

import importlib.metadata
import tomllib
from pathlib import Path


def _version() -> str:
    try:
        return importlib.metadata.version("segtool")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree that was not installed
        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


__version__ = _version()
