"""A pack of a real run, the proof repeated from it, and the same proof with torch: one verdict."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.proof.frames import choose_frames
from export.proof.gates import with_overrides
from export.proof.pack import read_pack
from export.proof.pack_run import LICENCE_NOTE, write_pack
from export.proof.picture import WorstFrames
from export.proof.prove_file import prove_file
from export.proof.reference import Reference
from export.proof.repeat import NO_CONFIDENCE, origin_notes, repeat_proof
from export.settings import ExportSettings
from runtime.camera import CameraSpec
from runtime.errors import CheckpointError, DataError, ModelFileError, UsageError
from runtime.model_file import ModelFile, load_model_file
from trainer.data.dataset import open_dataset
from trainer.evaluate import TrainedNetwork, load_trained

NV12 = CameraSpec(
    height_px=96,
    width_px=160,
    layout="nv12",
    yuv_matrix="bt709",
    yuv_range="limited",
    crop=(32, 0, 96, 96),
    resize="products",
)
DOORS = {
    "rgb": ExportSettings(),
    "nv12, labels at the camera's size": ExportSettings(camera=NV12, labels_at="camera"),
    "batch of 3, with confidence": ExportSettings(batch=3, confidence=True),
}
# 4 frames of 64x64 are few: the gates that ask for more are lowered, by name
LOW = with_overrides("fp32", {"least_class_frames": 2, "least_class_pixels": 100})

MakeFile = Callable[..., ModelFile]


@pytest.fixture(scope="module")
def small(trained_run: Path) -> TrainedNetwork:
    return load_trained(trained_run / "best.safetensors")


@pytest.fixture(scope="module")
def graph_behind(small: TrainedNetwork, graph_of: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    """The small run's graph with a door; tracing takes seconds, so each is traced once."""
    return cache(lambda settings: graph_of(small, settings))


@pytest.fixture
def make_file(
    small: TrainedNetwork,
    graph_behind: Callable[..., onnx.ModelProto],
    file_of: Callable[..., bytes],
    tmp_path: Path,
) -> MakeFile:
    def make(
        settings: ExportSettings | None = None, fault: Callable[[onnx.ModelProto], None] | None = None
    ) -> ModelFile:
        path = tmp_path / "model.onnx"
        path.write_bytes(file_of(small, graph_behind(settings or ExportSettings()), settings, fault))
        return load_model_file(path)

    return make


def shares(measured: object) -> list[object]:
    return [getattr(measured, kind) for kind in ("everywhere", "confident", "near_ties", "boundary", "elsewhere")]


@pytest.mark.parametrize("settings", DOORS.values(), ids=DOORS)
def test_pack_and_run_give_the_same_verdict(trained_run, pairs, make_file, tmp_path, settings):
    file, path = make_file(settings), tmp_path / "PACK.zip"
    write_pack(trained_run, None, path, like=file.spec)
    pack = read_pack(path)
    from_pack = repeat_proof(file, pack, worst=WorstFrames(count=2), gates=LOW, provider="cpu")
    worst = WorstFrames(count=2)
    from_run = prove_file(file, trained_run, pairs, frames=200, worst=worst, gates=LOW, provider="cpu")
    assert from_pack.passed
    assert from_run.parity.passed, from_run.parity.failures
    assert shares(from_pack.measured) == shares(from_run.parity.measured)
    assert from_pack.verdict.classes == from_run.parity.verdict.classes
    assert {verdict.state for verdict in from_pack.verdict.classes} >= {"passed"}
    np.testing.assert_array_equal(from_pack.measured.truth.candidate.iou, from_run.parity.measured.truth.candidate.iou)
    assert from_run.difference is None
    assert len(worst.frames()) == 2
    assert (NO_CONFIDENCE in from_pack.not_proven) == settings.confidence


def test_pack_and_run_both_fail_each_planted_fault(trained_run, make_file, tmp_path, fault):
    _, plant = fault
    file, path = make_file(None, plant), tmp_path / "PACK.zip"
    write_pack(trained_run, None, path)
    from_pack = repeat_proof(file, read_pack(path), worst=WorstFrames(count=1), gates=LOW, provider="cpu")
    assert not from_pack.passed
    from_run = prove_file(file, trained_run, None, frames=4, worst=WorstFrames(count=1), gates=LOW, provider="cpu")
    assert not from_run.parity.passed
    assert set(from_pack.verdict.failures) == set(from_run.parity.verdict.failures)


def test_prove_file_bisect_of_a_clean_file_finds_nothing(trained_run, make_file):
    found = prove_file(
        make_file(DOORS["batch of 3, with confidence"]),
        trained_run,
        None,
        frames=4,
        worst=WorstFrames(count=2),
        provider="cpu",
        bisect=True,
    )
    assert (found.difference.stage, found.difference.layer) == (None, None)
    assert found.against["run"] == "small"


def test_prove_file_bisect_names_the_bad_layer(trained_run, make_file, faults):
    file = make_file(None, faults["bad layer"])
    worst = WorstFrames(count=2)
    found = prove_file(file, trained_run, None, frames=4, worst=worst, provider="cpu", bisect=True)
    assert found.difference.stage == "logits"
    assert found.difference.layer.operator == "Conv"
    assert worst.frames()[0].differing_pixels > 0


def test_write_pack_holds_what_the_reference_says(trained_run, pairs, small, tmp_path):
    written = write_pack(trained_run, pairs, tmp_path / "p.zip", frames=2)
    pack = read_pack(tmp_path / "p.zip")
    assert (written.frames, len(pack), written.sha256) == (2, 2, pack.sha256)
    assert written.size_bytes == (tmp_path / "p.zip").stat().st_size
    reference = Reference(small, pack.spec)
    for found, frame in zip(pack, choose_frames(small, pairs, 2), strict=True):
        expected = reference(frame)
        assert found.name == frame.name
        np.testing.assert_array_equal(found.image, frame.image_hwc)
        np.testing.assert_array_equal(found.reference_hw, expected.labels_hw)
        np.testing.assert_array_equal(found.truth_hw, frame.labels_hw)
        np.testing.assert_allclose(found.margin_hw, expected.margin_hw, rtol=2**-10, atol=2**-24)


def test_write_pack_manifest_names_run_checkpoint_data_versions_and_licence(trained_run, pairs, tmp_path):
    write_pack(trained_run, pairs, tmp_path / "p.zip", frames=1)
    manifest = read_pack(tmp_path / "p.zip").manifest
    checkpoint = (trained_run / "best.safetensors").read_bytes()
    assert json.loads(json.dumps(manifest.about)) == {
        "run": {
            "name": "small",
            "checkpoint": "best.safetensors",
            "checkpoint_sha256": hashlib.sha256(checkpoint).hexdigest(),
        },
        "data": {"name": pairs.name, "sha256": open_dataset(pairs).fingerprint(), "split": "val"},
        "licence_note": LICENCE_NOTE,
    }
    assert manifest.spec.licence_note == LICENCE_NOTE
    assert {"segtool", "torch"} <= set(manifest.spec.producer)


def test_write_pack_refuses_what_can_not_be(trained_run, pairs, small, make_file, tmp_path):
    with pytest.raises(UsageError, match="--frames must be 1 or more, got 0"):
        write_pack(trained_run, pairs, tmp_path / "p.zip", frames=0)
    with pytest.raises(UsageError, match=r"is a folder, expected a file's name; give for example .*PACK\.zip"):
        write_pack(trained_run, pairs, tmp_path)
    with pytest.raises(CheckpointError, match=r"best\.safetensors: expected a checkpoint, found none"):
        write_pack(tmp_path, pairs, tmp_path / "p.zip")
    other = replace(make_file().spec, classes=("road", *small.classes[1:]))
    with pytest.raises(ModelFileError, match=r"expected the run's classes flat, .* got road"):
        write_pack(trained_run, pairs, tmp_path / "p.zip", like=other)
    assert not (tmp_path / "p.zip").exists()


def test_repeat_proof_of_fewer_frames_compares_as_many(trained_run, make_file, tmp_path):
    write_pack(trained_run, None, tmp_path / "p.zip")
    file, pack = make_file(), read_pack(tmp_path / "p.zip")
    parity = repeat_proof(file, pack, worst=WorstFrames(count=1), frames=2, provider="cpu")
    assert [frame.name for frame in parity.measured.by_frame] == ["val/1.jpg", "val/4.jpg"]
    with pytest.raises(UsageError, match="--frames must be 1 or more, got 0"):
        repeat_proof(file, pack, worst=WorstFrames(count=1), frames=0)


def test_repeat_proof_of_another_door_is_refused(trained_run, make_file, tmp_path):
    write_pack(trained_run, None, tmp_path / "p.zip", frames=1)
    file = make_file(DOORS["nv12, labels at the camera's size"])
    with pytest.raises(DataError, match=r"layout rgb, the file has nv12; .*label map 64x64, the file has 96x96"):
        repeat_proof(file, read_pack(tmp_path / "p.zip"), worst=WorstFrames(count=1), provider="cpu")


def test_origin_notes_tell_another_training(trained_run, make_file, tmp_path):
    write_pack(trained_run, None, tmp_path / "p.zip", frames=1)
    file, pack = make_file(), read_pack(tmp_path / "p.zip")
    assert origin_notes(replace(file, spec=replace(file.spec, training=pack.spec.training)), pack) == ()
    other = replace(file, spec=replace(file.spec, training={**pack.spec.training, "epoch": 99}))
    assert "was made from another training than the file names: it has epoch" in origin_notes(other, pack)[0]
