"""The cache of TensorRT's engines, against a stub that writes files as TensorRT's provider would. No TensorRT here."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.engine.engine_cache import MANIFEST, build_command, build_engine, key_of, serve
from runtime.errors import DeviceError, ProviderUnavailable, StorageError

PARTS = {
    "model": "ab" * 32,
    "trt_fp16_enable": "1",
    "onnxruntime": "1.31.1",
    "tensorrt": "10.13.2",
    "cuda": "13.0",
    "driver": "580.65.06",
    "gpu": "NVIDIA T4",
    "compute_capability": "7.5",
}
ENGINE = "TensorrtExecutionProvider_TRTKernel_graph_main_1_0_0_fp16_sm75.engine"
MODEL = "models/a b.onnx"


class TensorRT:
    """Opens at a folder as the provider does: reads the engine where one is there, else builds it into the folder."""

    def __init__(self, content: bytes = b"engine", name: str = ENGINE) -> None:
        self.content, self.name, self.builds = content, name, 0

    def open(self, folder: Path) -> bytes:
        engine = folder / self.name
        if not engine.exists():
            self.builds += 1
            engine.write_bytes(self.content)
        return engine.read_bytes()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build_engine(tmp_path / "cache", PARTS, MODEL, TensorRT().open)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_key_of_is_the_hash_of_the_sorted_parts() -> None:
    written = '{"a":"1","b":"x"}'  # by hand
    assert key_of({"b": "x", "a": "1"}) == hashlib.sha256(written.encode()).hexdigest()[:32]


@pytest.mark.parametrize("part", PARTS)
def test_key_of_one_part_changed_is_another(part: str) -> None:
    assert key_of(PARTS | {part: PARTS[part] + "0"}) != key_of(PARTS)


def test_build_engine_leaves_the_engine_and_a_manifest_in_clear(built: Path) -> None:
    assert built.name == key_of(PARTS)
    assert names(built) == sorted([ENGINE, MANIFEST])
    assert names(built.parent) == [built.name]  # nothing half done beside it
    assert json.loads((built / MANIFEST).read_text()) == {
        "schema_version": 1,
        "kind": "tensorrt-engine",
        "key": PARTS,
        "files": {ENGINE: {"bytes": 6, "sha256": hashlib.sha256(b"engine").hexdigest()}},
    }


def test_serve_opens_what_was_built_and_builds_nothing(built: Path) -> None:
    tensorrt = TensorRT(b"never")
    assert serve(built.parent, PARTS, MODEL, tensorrt.open) == b"engine"
    assert tensorrt.builds == 0


def test_build_engine_where_a_sound_one_is_builds_none_unless_anew(built: Path) -> None:
    tensorrt = TensorRT(b"second")
    assert build_engine(built.parent, PARTS, MODEL, tensorrt.open) == built
    assert (tensorrt.builds, (built / ENGINE).read_bytes()) == (0, b"engine")
    build_engine(built.parent, PARTS, MODEL, tensorrt.open, anew=True)
    assert (tensorrt.builds, (built / ENGINE).read_bytes()) == (1, b"second")
    assert names(built.parent) == [built.name]


def test_build_engine_over_a_damaged_one_replaces_it(built: Path) -> None:
    (built / ENGINE).write_bytes(b"damage")
    build_engine(built.parent, PARTS, MODEL, TensorRT(b"sound").open)
    assert serve(built.parent, PARTS, MODEL, TensorRT().open) == b"sound"


@pytest.mark.parametrize("part", [part for part in PARTS if part != "model"])
def test_serve_with_a_part_that_differs_names_it_and_the_command(built: Path, part: str) -> None:
    tensorrt = TensorRT()
    with pytest.raises(
        ProviderUnavailable, match=rf"got one with {part} '{PARTS[part]}' \(here 'other'\); build"
    ) as caught:
        serve(built.parent, PARTS | {part: "other"}, MODEL, tensorrt.open)
    assert build_command(MODEL, built.parent) in str(caught.value)
    assert tensorrt.builds == 0
    assert names(built.parent) == [built.name]


def test_serve_names_how_the_nearest_of_several_differs(built: Path) -> None:
    build_engine(built.parent, PARTS | {"gpu": "NVIDIA L4", "driver": "1"}, MODEL, TensorRT().open)
    with pytest.raises(ProviderUnavailable, match=r"got one with driver '580.65.06' \(here '590.1'\); build"):
        serve(built.parent, PARTS | {"driver": "590.1"}, MODEL, TensorRT().open)


def test_serve_another_model_or_an_empty_cache_says_none(built: Path, tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match=r"got none of this model \(1 of others\); build it before serving"):
        serve(built.parent, PARTS | {"model": "cd" * 32}, MODEL, TensorRT().open)
    for cache in (tmp_path / "absent", tmp_path):
        with pytest.raises(ProviderUnavailable, match=r"got none; build it before serving"):
            serve(cache, PARTS, MODEL, TensorRT().open)


def test_build_command_can_be_typed_as_it_stands() -> None:
    assert (
        build_command("models/a b.onnx", Path("/var/it's"))
        == "segtool build 'models/a b.onnx' --provider tensorrt --cache '/var/it'\"'\"'s'"
    )


def _cut(folder: Path) -> None:
    (folder / ENGINE).write_bytes(b"engin")


def _flip(folder: Path) -> None:
    (folder / ENGINE).write_bytes(b"engind")


def _remove(folder: Path) -> None:
    (folder / ENGINE).unlink()


def _add(folder: Path) -> None:
    (folder / "other.engine").write_bytes(b"x")


def _forget(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _malform(folder: Path) -> None:
    (folder / MANIFEST).write_text("[" * 100_000)


def _rename(folder: Path) -> None:
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text().replace("NVIDIA T4", "NVIDIA L4"))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_cut, f"{ENGINE} altered"),
        (_flip, f"{ENGINE} altered"),
        (_remove, f"no {ENGINE}"),
        (_add, "other.engine, which was not built"),
        (_forget, "no sound manifest.json"),
        (_malform, "no sound manifest.json"),
        (_rename, "a manifest.json of another key"),
    ],
)
def test_serve_a_folder_not_as_built_is_refused_before_it_is_opened(
    built: Path, damage: Callable[[Path], None], told: str
) -> None:
    damage(built)
    tensorrt = TensorRT()
    with pytest.raises(ProviderUnavailable, match=f"as it was built, got {told}; build it again, .* --anew$"):
        serve(built.parent, PARTS, MODEL, tensorrt.open)
    assert tensorrt.builds == 0


def test_serve_where_the_provider_builds_another_engine_is_refused_then_and_later(built: Path) -> None:
    stubborn = TensorRT(name="another.engine")  # it did not take the one that is there
    with pytest.raises(ProviderUnavailable, match=r"got another\.engine, which the provider built when"):
        serve(built.parent, PARTS, MODEL, stubborn.open)
    assert stubborn.builds == 1
    with pytest.raises(ProviderUnavailable, match=r"got another\.engine, which was not built"):
        serve(built.parent, PARTS, MODEL, stubborn.open)


def test_serve_where_the_provider_builds_over_the_engine_is_refused_then_and_later(built: Path) -> None:
    def build_anew(folder: Path) -> None:
        (folder / ENGINE).write_bytes(b"newer!")

    with pytest.raises(ProviderUnavailable, match=rf"got {ENGINE}, which the provider built when"):
        serve(built.parent, PARTS, MODEL, build_anew)
    with pytest.raises(ProviderUnavailable, match=f"got {ENGINE} altered"):
        serve(built.parent, PARTS, MODEL, TensorRT().open)


def test_serve_where_the_folder_is_taken_away_meanwhile_is_refused(built: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="got less of it once it was opened; build it again"):
        serve(built.parent, PARTS, MODEL, lambda folder: folder.rename(folder.with_name("away")))


@pytest.mark.parametrize("anew", [False, True])
def test_build_engine_that_another_process_overtakes_at_the_last_moment_is_content_with_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    cache, rename, overtaken = tmp_path / "cache", Path.rename, []

    def overtaking(self: Path, target: Path) -> Path:
        if not overtaken and target.name == key_of(PARTS):
            overtaken.append(target)
            build_engine(cache, PARTS, MODEL, TensorRT(b"theirs").open)
        return rename(self, target)

    if anew:
        build_engine(cache, PARTS, MODEL, TensorRT(b"old").open)
    monkeypatch.setattr(Path, "rename", overtaking)
    assert build_engine(cache, PARTS, MODEL, TensorRT(b"ours").open, anew=anew) == cache / key_of(PARTS)
    assert serve(cache, PARTS, MODEL, TensorRT().open) == b"theirs"
    assert names(cache) == [key_of(PARTS)]


@pytest.mark.parametrize("failure", [ProviderUnavailable("no TensorRT"), KeyboardInterrupt("stopped")])
def test_build_engine_that_fails_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    def fail(folder: Path) -> None:
        (folder / ENGINE).write_bytes(b"half of")
        raise failure

    with pytest.raises(type(failure), match=str(failure)):
        build_engine(tmp_path / "cache", PARTS, MODEL, fail)
    assert names(tmp_path / "cache") == []


def test_build_engine_that_fails_leaves_the_old_one(built: Path) -> None:
    def fail(_: Path) -> None:
        raise ProviderUnavailable("no TensorRT")

    with pytest.raises(ProviderUnavailable, match="no TensorRT"):
        build_engine(built.parent, PARTS, MODEL, fail, anew=True)
    assert serve(built.parent, PARTS, MODEL, TensorRT().open) == b"engine"


@pytest.mark.parametrize(
    ("tensorrt", "got"),
    [(TensorRT(b""), rf"got \['{ENGINE}'\]"), (TensorRT(name="a.profile"), r"got \['a.profile'\]")],
)
def test_build_engine_without_an_engine_is_refused(tmp_path: Path, tensorrt: TensorRT, got: str) -> None:
    with pytest.raises(DeviceError, match=rf"a b\.onnx: expected TensorRT to leave an engine, {got}; check"):
        build_engine(tmp_path / "cache", PARTS, MODEL, tensorrt.open)
    assert names(tmp_path / "cache") == []


def test_build_engine_where_nothing_can_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file: expected to write an engine there, got: Not a directory; check"):
        build_engine(tmp_path / "file", PARTS, MODEL, TensorRT().open)
