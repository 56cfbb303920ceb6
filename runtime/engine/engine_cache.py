"""TensorRT engines on disk, each in a folder named by everything that can change it. Built ahead, never while serving.

    CACHE/KEY/manifest.json     every part of the key in clear, and the size and SHA-256 of each file beside it
    CACHE/KEY/*.engine          what ONNX Runtime's TensorRT provider wrote

It knows files, not ONNX Runtime: what opens a session is handed in.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DeviceError, ProviderUnavailable, StorageError
from ..files import write_whole

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1

_KEY_DIGITS = 32
Opened = TypeVar("Opened")


def key_of(parts: Mapping[str, str]) -> str:
    """Name of an engine's folder: 32 hex digits of the SHA-256 over its parts.

    Args:
        parts: everything that can change the engine, by name: the model's hash, the provider's options, versions, GPU.
    """
    canonical = json.dumps(dict(parts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_KEY_DIGITS]


def build_command(model: str, cache: Path) -> str:
    """What to type to have an engine built."""
    return f"segtool build {shlex.quote(model)} --provider tensorrt --cache {shlex.quote(str(cache))}"


def build_engine(
    cache: Path, parts: Mapping[str, str], model: str, build: Callable[[Path], object], *, anew: bool = False
) -> Path:
    """Has an engine built and puts it into the cache, whole or not at all.

    Args:
        cache: the cache's folder, made where it is not there.
        parts: of the key.
        model: the model file, for error messages.
        build: has the engine written into the empty folder that it is given; its session is dropped.
        anew: build where the cache has a sound one already, too.

    Returns:
        The folder of the engine.

    Raises:
        DeviceError: the build left no engine, or a file that is empty.
        StorageError: the disk is full, the cache can't be written.
        Whatever `build` raises.
    """
    folder = cache / key_of(parts)
    if not anew and folder.is_dir() and _fault(folder, parts) is None:
        return folder
    with _temporary(cache, folder.name) as new:
        build(new)
        files = {name: _described(new / name) for name in _names(new)}
        if not any(name.endswith(".engine") for name in files) or not all(each["bytes"] for each in files.values()):
            raise DeviceError(
                f"{model}: expected TensorRT to leave an engine, got {sorted(files) or 'no file'}; check that the disk "
                "has space and that TensorRT takes the model"
            )
        document = {"schema_version": SCHEMA_VERSION, "kind": "tensorrt-engine", "key": dict(parts), "files": files}
        write_whole(new / MANIFEST, (json.dumps(document, indent=2) + "\n").encode())
        _publish(new, folder, parts)
    return folder


def serve(cache: Path, parts: Mapping[str, str], model: str, open_at: Callable[[Path], Opened]) -> Opened:
    """Opens the engine that was built for exactly this; builds none.

    Args:
        cache: the cache's folder.
        parts: of the key.
        model: the model file, for error messages.
        open_at: opens a session with the engine in the folder that it is given.

    Returns:
        What `open_at` returns.

    Raises:
        ProviderUnavailable: there is no engine for this, it is not as it was built, or the provider built another.
        Whatever `open_at` raises.
    """
    folder, command = cache / key_of(parts), build_command(model, cache)
    if not folder.is_dir():
        raise ProviderUnavailable(
            f"provider 'tensorrt': expected an engine that was built for this in {cache}, got "
            f"{_nearest(cache, parts)}; build it before serving: {command}"
        )
    fault = _fault(folder, parts)
    if fault is None:
        built = _stamps(folder)
        opened = open_at(folder)
        found = _stamps(folder)
        if found == built:
            return opened
        new = [name for name, stamp in found.items() if built.get(name) != stamp]
        fault = f"{new[0]}, which the provider built when it was opened" if new else "less of it once it was opened"
    raise ProviderUnavailable(
        f"provider 'tensorrt': expected the engine in {folder} as it was built, got {fault}; build it again, before "
        f"serving: {command} --anew"
    )


def _fault(folder: Path, parts: Mapping[str, str]) -> str | None:
    """What is wrong with an engine's folder; None where it is as it was built."""
    found = _manifest(folder)
    if found is None:
        return f"no sound {MANIFEST}"
    if found["key"] != dict(parts):
        return f"a {MANIFEST} of another key"
    expected = found["files"]
    for name in sorted({*expected, *_names(folder)} - {MANIFEST}):
        if name not in expected:
            return f"{name}, which was not built"
        if not (folder / name).is_file():
            return f"no {name}"
        try:
            if _described(folder / name) != expected[name]:
                return f"{name} altered"
        except OSError as error:
            return f"{name}, which can't be read ({error.strerror or error})"
    return None


def _nearest(cache: Path, parts: Mapping[str, str]) -> str:
    """How the engine that is most like it differs."""
    others = [found["key"] for folder in _folders(cache) if (found := _manifest(folder)) is not None]
    same_model = [key for key in others if key.get("model") == parts.get("model")]
    if not same_model:
        return f"none of this model ({len(others)} of others)" if others else "none"
    differing = min((_differing(key, parts) for key in same_model), key=len)
    return "one with " + ", ".join(f"{name} {was!r} (here {now!r})" for name, was, now in differing)


def _differing(key: Mapping[str, str], parts: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    names = sorted({*key, *parts})
    return [(name, key.get(name), parts.get(name)) for name in names if key.get(name) != parts.get(name)]


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        document = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        return None
    return document if all(isinstance(document.get(name), dict) for name in ("key", "files")) else None


def _described(file: Path) -> dict[str, object]:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What tells a file from one written over it, without reading it; nothing where another build takes it away."""
    try:
        found = {name: (folder / name).stat() for name in _names(folder)}
    except OSError:
        return {}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


def _folders(cache: Path) -> list[Path]:
    try:
        return [entry for entry in sorted(cache.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []


@contextlib.contextmanager
def _temporary(cache: Path, name: str) -> Iterator[Path]:
    """A new folder in the cache, gone afterwards where it has not got its final name; the cache's troubles as ours."""
    new = cache / f".{name}.{secrets.token_hex(8)}.tmp"
    try:
        new.mkdir(parents=True)
        yield new
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"{cache}: expected to write an engine there, got: {error.strerror or error}; check the folder's "
            "permissions and the disk, or give another --cache"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _publish(new: Path, folder: Path, parts: Mapping[str, str]) -> None:
    for name in _names(new):
        _sync(new / name)
    _sync(new)
    replaced = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.tmp")
    try:
        if folder.exists():  # an engine that is not sound, or is to be built anew: a folder can't be renamed over it
            folder.rename(replaced)
        new.rename(folder)
    except OSError:
        if _fault(folder, parts) is not None:  # else another process built the same and came first
            raise
    _sync(folder.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _sync(path: Path) -> None:
    if os.name == "nt":  # Windows can't open a folder to sync it
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
