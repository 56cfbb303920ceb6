"""Packs written, read back, damaged and forged; the forgeries are made with zipfile and numpy alone."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.proof import manifest as manifest_module
from export.proof import pack as pack_module
from export.proof.pack import PackFrame, read_pack, save_pack
from runtime.camera import CameraSpec
from runtime.errors import DataError, StorageError, UsageError
from runtime.spec import ModelSpec

NV12 = CameraSpec(
    height_px=16,
    width_px=32,
    layout="nv12",
    yuv_matrix="bt709",
    yuv_range="limited",
    crop=(0, 4, 32, 8),
    resize="products",
)
ABOUT = {"run": {"name": "street"}, "data": {"name": "pairs.zip"}}


def make_spec(**changes: object) -> ModelSpec:
    facts = {
        "label_space": "three",
        "classes": ("road", "sky", "car"),
        "palette": ((128, 64, 128), (70, 130, 180), (0, 0, 142)),
        "height_px": 6,
        "width_px": 8,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "precision": "fp32",
        "training": {"run": "street"},
        "producer": {"segtool": "0"},
    }
    return ModelSpec(**(facts | changes))


def make_frames(spec: ModelSpec, count: int = 3) -> list[PackFrame]:
    random = np.random.default_rng(5)
    return [
        PackFrame(
            name=f"val/{index}.jpg",
            image=random.integers(0, 256, spec.frame_shape, np.uint8),
            truth_hw=random.integers(0, 3, spec.labels_shape, np.uint8) if index != 1 else None,
            reference_hw=np.where(random.random(spec.labels_shape) < 0.1, 255, 2).astype(np.uint8),
            margin_hw=random.random(spec.labels_shape, np.float32) * 5,
        )
        for index in range(count)
    ]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "PACK.zip"
    save_pack(path, make_spec(), ABOUT, make_frames(make_spec()))
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forge(path: Path, contents: dict[str, bytes], *, honest_hashes: bool = True) -> None:
    """Writes the zip anew, as someone would who knows the format: the manifest's hashes fit again."""
    if honest_hashes and "manifest.json" in contents:
        manifest = json.loads(contents["manifest.json"])
        manifest["sha256"] = {
            name: hashlib.sha256(contents[name]).hexdigest() if name in contents else value
            for name, value in manifest["sha256"].items()
        }
        contents = {**contents, "manifest.json": json.dumps(manifest).encode()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def npy(array: np.ndarray, **settings: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **settings)
    return stream.getvalue()


@pytest.mark.parametrize(
    "spec",
    [make_spec(), make_spec(camera=NV12), make_spec(camera=NV12, labels_at="camera", labels_from="labels")],
    ids=["rgb", "nv12", "labels at the camera's size"],
)
def test_pack_read_back_gives_what_was_written(tmp_path, spec):
    frames = make_frames(spec)
    size, sha256 = save_pack(tmp_path / "p.zip", spec, ABOUT, iter(frames))
    pack = read_pack(tmp_path / "p.zip")
    assert (size, sha256) == ((tmp_path / "p.zip").stat().st_size, pack.sha256)
    assert sha256 == hashlib.sha256((tmp_path / "p.zip").read_bytes()).hexdigest()
    assert (pack.spec, pack.manifest.about, len(pack)) == (spec, ABOUT, 3)
    for found, frame in zip(pack, frames, strict=True):
        assert found.name == frame.name
        np.testing.assert_array_equal(found.image, frame.image)
        np.testing.assert_array_equal(found.reference_hw, frame.reference_hw)
        np.testing.assert_allclose(found.margin_hw, frame.margin_hw, rtol=2**-10)
        assert found.margin_hw.dtype == np.float32
        assert (found.truth_hw is None) == (frame.truth_hw is None)
        if frame.truth_hw is not None:
            np.testing.assert_array_equal(found.truth_hw, frame.truth_hw)


def test_pack_margins_never_grow_and_keep_infinity_and_nan(tmp_path):
    spec = make_spec()
    margins = np.geomspace(1e-6, 1e4, 48, dtype=np.float32).reshape(6, 8)
    margins[0, :3] = np.inf, np.nan, 0
    save_pack(tmp_path / "p.zip", spec, ABOUT, [replace(make_frames(spec, 1)[0], margin_hw=margins)])
    found = read_pack(tmp_path / "p.zip").read(0).margin_hw
    assert np.isinf(found[0, 0])
    assert np.isnan(found[0, 1])
    assert (found[1:] <= margins[1:]).all()
    assert (found[1:] > margins[1:] * (1 - 2**-10) - 2**-24).all()


def test_pack_same_frames_give_the_same_bytes(tmp_path):
    hashes = {
        save_pack(tmp_path / name, make_spec(), ABOUT, make_frames(make_spec()))[1] for name in ("a.zip", "b.zip")
    }
    assert len(hashes) == 1


def test_pack_members_are_plain_npy_files(written):
    contents = members(written)
    assert len(contents) == 1 + 3 + 3 * 3 - 1  # manifest, truths, image + labels + margins; one frame has no truth
    image = np.load(io.BytesIO(contents["frames/00002/image.npy"]), allow_pickle=False)
    np.testing.assert_array_equal(image, make_frames(make_spec())[2].image)
    assert np.load(io.BytesIO(contents["frames/00002/margins.npy"])).dtype == np.float16


def test_pack_frame_name_that_is_no_utf8_survives(tmp_path):
    frame = replace(make_frames(make_spec(), 1)[0], name="val/\udcff.jpg")
    save_pack(tmp_path / "p.zip", make_spec(), ABOUT, [frame])
    assert read_pack(tmp_path / "p.zip").read(0).name == "val/\udcff.jpg"


def test_pack_frames_are_read_one_at_a_time(written, monkeypatch):
    pack = read_pack(written)
    read: list[str] = []
    plain = pack.source.read
    monkeypatch.setattr(pack.source, "read", lambda name: read.append(name) or plain(name))
    frames = iter(pack)
    assert read == []
    next(frames)
    assert {name.split("/")[1] for name in read} == {"00000"}


def test_pack_large_map_of_one_label_is_readable(tmp_path):
    """A constant map deflates a thousandfold; read_pack refuses such ratios, so they must be stored as they are."""
    spec = make_spec(height_px=1200, width_px=1900)
    flat = np.zeros((1200, 1900), np.uint8)
    image = np.random.default_rng(0).integers(0, 256, (1200, 1900, 3), np.uint8)
    frame = PackFrame(name="a", image=image, truth_hw=flat, reference_hw=flat, margin_hw=flat.astype(np.float32))
    save_pack(tmp_path / "p.zip", spec, ABOUT, [frame])
    np.testing.assert_array_equal(read_pack(tmp_path / "p.zip").read(0).reference_hw, flat)


def test_save_pack_disk_fault_leaves_the_old_file(written, monkeypatch):
    before = written.read_bytes()

    def full(path: Path, data: bytes) -> None:
        raise StorageError(f"{path}: disk full")

    monkeypatch.setattr(pack_module, "write_whole", full)
    with pytest.raises(StorageError, match="disk full"):
        save_pack(written, make_spec(), ABOUT, make_frames(make_spec(), 1))
    assert written.read_bytes() == before


def test_save_pack_fault_in_a_later_frame_writes_nothing(tmp_path):
    def broken() -> Iterator[PackFrame]:
        yield make_frames(make_spec(), 1)[0]
        raise DataError("val/2.jpg: damaged")

    with pytest.raises(DataError, match=r"val/2\.jpg: damaged"):
        save_pack(tmp_path / "p.zip", make_spec(), ABOUT, broken())
    assert list(tmp_path.iterdir()) == []


def test_save_pack_refuses_no_frames_and_too_many(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="one frame or more for a pack, got none"):
        save_pack(tmp_path / "p.zip", make_spec(), ABOUT, [])
    monkeypatch.setattr(pack_module, "LARGEST_PACK_BYTES", 1200)
    with pytest.raises(UsageError, match="at most 1200 bytes, got more with frame 2; give fewer --frames"):
        save_pack(tmp_path / "p.zip", make_spec(), ABOUT, make_frames(make_spec()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((6, 8), np.uint8)}, r"image of uint8 \[6, 8, 3\], got uint8 \[6, 8\]"),
        ({"reference_hw": np.zeros((6, 8), np.int64)}, r"labels of uint8 \[6, 8\], got int64"),
        ({"truth_hw": np.zeros((3, 4), np.uint8)}, r"truth of uint8 \[6, 8\], got uint8 \[3, 4\]"),
    ],
)
def test_save_pack_frame_of_another_shape_is_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        save_pack(tmp_path / "p.zip", make_spec(), ABOUT, [replace(make_frames(make_spec(), 1)[0], **changes)])


def test_save_pack_frame_that_read_pack_would_not_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_module, "MAX_MEMBER_BYTES", 200)
    with pytest.raises(DataError, match=r"val/0\.jpg: expected image of at most 100 bytes, got 144"):
        save_pack(tmp_path / "p.zip", make_spec(), ABOUT, make_frames(make_spec(), 1))


def test_read_pack_absent_or_no_zip_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.zip: expected a readable"):
        read_pack(tmp_path / "absent.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(DataError, match=r"text\.zip: expected a folder or a complete"):
        read_pack(tmp_path / "text.zip")


def test_read_pack_without_manifest_is_refused(written):
    forge(written, {name: data for name, data in members(written).items() if name != "manifest.json"})
    with pytest.raises(DataError, match=r"expected a pack with a manifest\.json"):
        read_pack(written)


def edit(document: dict, **changes: object) -> dict:
    return {**document, **changes}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: edit(m, kind="else"), "of another kind than 'segtool-pack'"),
        (lambda m: edit(m, schema_version=2), "got version 2 with the fields"),
        (lambda m: edit(m, extra=1), "got version 1 with the fields .*'extra'"),
        (lambda m: edit(m, about=[]), r"about that is no JSON object, \[\]"),
        (lambda m: edit(m, about={"x": float("nan")}), r"about that no JSON file can hold \(.* nan\)"),
        (lambda m: edit(m, frames=[]), r"frames that are no list of names, \[\]"),
        (lambda m: edit(m, frames=[{"name": 7, "truth": True}]), "frames that are no list of names, .*7"),
        (lambda m: edit(m, frames=[{"name": "a", "truth": 1}]), "frames that are no list of names"),
        (lambda m: edit(m, sha256=edit(m["sha256"], **{"frames/00000/image.npy": "zz"})), "a SHA-256 of 'zz'"),
        (lambda m: edit(m, spec=edit(m["spec"], height_px=0)), "height_px"),
        (lambda m: edit(m, spec=edit(m["spec"], schema_version=99)), "got schema 99"),
        (lambda m: edit(m, frames=m["frames"][:2]), r"the 7 members of 2 frames in the zip, got \['frames/00002"),
        (lambda m: edit(m, frames=[*m["frames"], {"name": "b", "truth": False}]), "frames/00003/image.npy'.*missing"),
    ],
)
def test_read_pack_forged_manifest_is_refused(written, change, message):
    contents = members(written)
    contents["manifest.json"] = json.dumps(change(json.loads(contents["manifest.json"]))).encode()
    forge(written, contents, honest_hashes=False)
    with pytest.raises(DataError, match=message):
        read_pack(written)


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_read_pack_manifest_that_is_no_json_object_is_refused(written, text):
    forge(written, {**members(written), "manifest.json": text}, honest_hashes=False)
    with pytest.raises(DataError, match=r"manifest\.json: expected a pack's manifest of version 1, got"):
        read_pack(written)


def test_read_pack_manifest_over_the_cap_is_refused_unparsed(written, monkeypatch):
    monkeypatch.setattr(manifest_module, "_LARGEST_BYTES", 99)
    with pytest.raises(
        DataError, match=r"manifest\.json: expected a pack's manifest of version 1, got \d+ bytes, over 99"
    ):
        read_pack(written)


def test_read_pack_besides_or_missing_member_is_refused(written):
    contents = members(written)
    forge(written, {**contents, "frames/evil.py": b"print()"}, honest_hashes=False)
    with pytest.raises(DataError, match=r"in the zip, got \['frames/evil.py'\] besides"):
        read_pack(written)
    del contents["frames/00001/labels.npy"]
    forge(written, contents, honest_hashes=False)
    with pytest.raises(DataError, match=r"\['frames/00001/labels.npy'\] missing"):
        read_pack(written)


def test_read_pack_path_that_leads_out_is_refused(written):
    forge(written, {**members(written), "../evil": b""})
    with pytest.raises(DataError, match="that leads out"):
        read_pack(written)


def test_pack_altered_member_is_refused_by_its_hash(written):
    contents = members(written)
    changed = bytearray(contents["frames/00001/labels.npy"])
    changed[-1] ^= 1
    forge(written, {**contents, "frames/00001/labels.npy": bytes(changed)}, honest_hashes=False)
    pack = read_pack(written)
    pack.read(0)
    with pytest.raises(
        DataError, match=r"frames/00001/labels.npy: expected the SHA-256 [0-9a-f]{64} that the manifest"
    ):
        pack.read(1)


class Opener:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, ("pickled-code-ran", "w")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(np.array([[Opener()]], object), allow_pickle=True), "'descr': '.O'"),
        (npy(np.zeros((6, 8), np.int16)), r"'descr': '.u1', .* and 48 bytes, got .*'descr': '<i2', .* and 96 bytes"),
        (npy(np.asfortranarray(np.zeros((6, 8), np.uint8))), "got .*'fortran_order': True"),
        (npy(np.zeros((8, 6), np.uint8)), r"got .*'shape': \(8, 6\)"),
        (npy(np.zeros((6, 8), np.uint8))[:-1], "and 48 bytes, got .* and 47 bytes"),
        (npy(np.zeros((6, 8), np.uint8)).replace(b"(6, 8), } ", b"(6,9**9),}"), r"got .*\(6,9\*\*9\)"),
        (npy(np.zeros((6, 8), np.uint8)).replace(b"(6, 8), }", b"((((((((("), r"got .*\(\(\(\(\("),
        (b"\x93NUMPY\x02\x00" + bytes(200), r"version 1.0 .* got b'\\x93NUMPY\\x02\\x00'"),
        (b"\x93NUMPY\x01\x00\xff\xff" + bytes(48), "and 48 bytes, got"),
        (b"", "got b'',  and -10 bytes"),
        (npy(np.full((6, 8), 7, np.uint8)), "expected labels 0 to 2 or 255, got 7"),
    ],
)
def test_pack_forged_member_is_refused_and_runs_no_code(written, data, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forge(written, {**members(written), "frames/00000/labels.npy": data})
    with pytest.raises(DataError, match=message):
        read_pack(written).read(0)
    assert not (tmp_path / "pickled-code-ran").exists()


def test_pack_frame_out_of_range_is_refused(written):
    for index in (-1, 3):
        with pytest.raises(DataError, match=f"a frame from 0 to 2, got {index}"):
            read_pack(written).read(index)
