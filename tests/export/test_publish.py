"""Publishing killed or out of disk at any moment: the old file or the new one, never with papers of another."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

import export.publish
from export.build import Built
from export.graph.trace import finish
from export.publish import publish
from runtime.errors import ModelFileError, StorageError
from runtime.model_file import load_model_file

OPERATIONS = ((Path, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink"))


@pytest.fixture(scope="module", autouse=True)
def _quick_pictures() -> Iterator[None]:
    """A real one takes a fifth of a second, and here some hundred are drawn; tests/export/test_pipeline.py has some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export.publish, "draw_picture", lambda *_, title, notes: f"{title}, {notes}".encode())
        yield


@pytest.fixture(scope="module")
def other(built: Built) -> Built:
    """Another export under the same name: other bytes, report and picture."""
    spec = replace(built.spec, golden=None, licence_note="the other")
    data = finish(onnx.load_from_string(built.data), spec)
    return replace(built, data=data, spec=spec, report={**built.report, "other": True}, refusals=("the other",))


@pytest.fixture(scope="module")
def wholes(built: Built, other: Built, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """What lies there after each of the two, published undisturbed."""
    found = []
    for one in (built, other):
        folder = tmp_path_factory.mktemp("whole")
        publish(folder / "model.onnx", one)
        found.append(content(folder))
    assert all(len({whole[name] for whole in found}) == 2 for name in found[0])
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".tmp")}


def lay(whole: dict[str, bytes], folder: Path) -> None:
    """Puts an export there as `publish` left it."""
    folder.mkdir()
    for name, data in whole.items():
        (folder / name).write_bytes(data)


def require_one_export(folder: Path, wholes: list[dict[str, bytes]]) -> str:
    """Which export's model lies there; raises where it is neither's, or beside something of the other's."""
    names = [path.name for path in folder.iterdir() if path.name.startswith("model.onnx")]
    for which, whole in zip(("old", "new"), wholes, strict=True):
        if (folder / "model.onnx").read_bytes() == whole["model.onnx"]:
            load_model_file(folder / "model.onnx")
            strange = [name for name in names if (folder / name).read_bytes() != whole[name]]
            if strange:
                raise ValueError(f"beside the {which} model: {strange} of another")
            return which
    raise ValueError("a model that is neither the old one nor the new one")


class Torn:
    """A stream that writes half of what it is given, and ends the process."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> "Torn":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def write(self, data: bytes) -> None:
        self._stream.write(data[: len(data) // 2])
        self._stream.flush()
        os._exit(9)


def dying_at(operation: int, moment: str, deed: Callable[[], object]) -> int:
    """Does the deed in a child that ends before, after or, for a write, half way through the so-manyth operation.

    Returns:
        The child's exit code: 9 where it died so, 0 where the deed has fewer operations.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0

    def counted(honest: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == operation and moment == "before":
                os._exit(9)
            result = honest(*arguments, **named)
            if count == operation and moment == "writing" and "xb" in arguments:
                return Torn(result)
            if count == operation and moment == "after":
                os._exit(9)  # what Python still holds of the file is lost, as with kill -9
            return result

        return call

    for place, name in OPERATIONS:
        setattr(place, name, counted(getattr(place, name)))
    try:
        deed()
    except BaseException:  # noqa: BLE001 (whatever it is, the parent must hear of it)
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("moment", ["before", "writing", "after"])
def test_publish_killed_at_any_operation_leaves_one_export(
    other: Built, wholes: list[dict[str, bytes]], tmp_path: Path, moment: str
) -> None:
    found, codes = [], []
    for operation in range(1, 20):
        folder = tmp_path / str(operation)
        lay(wholes[0], folder)
        codes.append(dying_at(operation, moment, lambda path=folder / "model.onnx": publish(path, other)))
        found.append(require_one_export(folder, wholes))
        publish(folder / "model.onnx", other)  # what a kill left behind is in nobody's way
        assert content(folder) == wholes[1]
    assert set(codes) == {0, 9}
    # three files, each: open, fsync, open to read back, rename, fsync of the folder; and two unlinks
    assert codes.count(9) == (3 if moment == "writing" else 17)
    # the old one up to a moment, the new one from there on; which moment is the model's rename
    assert found == sorted(found, reverse=True)
    assert set(found) == {"old", "new"}


def papers_left(path: Path, one: Built) -> None:
    """As if the older report and picture stayed until their successors come."""
    Path.unlink = lambda *_, **__: None  # type: ignore[method-assign]  # in the child alone
    publish(path, one)


def in_place(path: Path, one: Built) -> None:
    with path.open("wb") as stream:
        stream.write(one.data[:100])
    path.write_bytes(one.data)


@pytest.mark.parametrize(
    ("reckless", "message"), [(papers_left, "beside the new model"), (in_place, "neither the old one nor the new one")]
)
def test_require_one_export_planted_carelessness_is_caught(
    other: Built,
    wholes: list[dict[str, bytes]],
    tmp_path: Path,
    reckless: Callable[[Path, Built], None],
    message: str,
) -> None:
    caught = []
    for operation in range(1, 20):
        path = tmp_path / str(operation) / "model.onnx"
        lay(wholes[0], path.parent)
        dying_at(operation, "after", lambda path=path: reckless(path, other))
        try:
            require_one_export(path.parent, wholes)
        except ValueError as error:
            caught.append(str(error))
    assert any(message in each for each in caught)


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace"), (Path, "unlink")])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_publish_failing_at_any_operation_is_a_storage_error_and_leaves_one_export(
    other: Built,
    wholes: list[dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    step: str,
    number: int,
) -> None:
    honest, times = getattr(owner, step), {"fsync": 6, "replace": 3, "unlink": 2}[step]
    for at in range(1, times + 2):
        folder = tmp_path / str(at)
        lay(wholes[0], folder)
        calls = 0

        def failing(*arguments: Any, _at: int = at, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == _at:
                raise OSError(number, os.strerror(number))
            return honest(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(owner, step, failing)
            if at <= times:
                with pytest.raises(StorageError, match=f"{folder}/model"):
                    publish(folder / "model.onnx", other)
            else:
                publish(folder / "model.onnx", other)
        require_one_export(folder, wholes)
        assert [path.name for path in folder.iterdir() if path.name.endswith(".tmp")] == []


def test_publish_full_before_the_model_is_whole_keeps_the_old_papers(
    built: Built, other: Built, wholes: list[dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path / "model.onnx", built)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"model\.onnx: disk full, 0\.1 MB needed"):
            publish(tmp_path / "model.onnx", other)
    assert content(tmp_path) == wholes[0]


def test_publish_report_names_the_model(built: Built, tmp_path: Path) -> None:
    published = publish(tmp_path / "new" / "a.onnx", built)
    assert (published.report.name, published.picture.name) == ("a.onnx.parity.json", "a.onnx.parity.png")
    report = json.loads(published.report.read_text())
    assert report["file_sha256"] == hashlib.sha256(published.model.read_bytes()).hexdigest()
    assert report["file_sha256"] == load_model_file(published.model).sha256


def test_publish_what_is_no_sound_model_changes_nothing(built: Built, tmp_path: Path) -> None:
    publish(tmp_path / "model.onnx", built)
    before = content(tmp_path)
    damaged = bytearray(built.data)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(ModelFileError, match=r"model\.onnx: .*seal"):
        publish(tmp_path / "model.onnx", replace(built, data=bytes(damaged)))
    assert content(tmp_path) == before


def test_publish_report_that_cannot_be_written_changes_nothing(built: Built, tmp_path: Path) -> None:
    publish(tmp_path / "model.onnx", built)
    before = content(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant: nan"):
        publish(tmp_path / "model.onnx", replace(built, data=built.data, report={"share": float("nan")}))
    assert content(tmp_path) == before
