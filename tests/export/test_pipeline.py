"""Whole exports of a small trained run, clean ones and ones with a planted fault that the gate must catch."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import export.pipeline
from export.deploy import Deploy
from export.pipeline import export_run
from runtime.errors import CheckpointError, DataError, GateError, ModelFileError, StorageError, UsageError
from runtime.segmenter import Result, Segmenter
from trainer.data.dataset import open_dataset
from trainer.evaluate import load_trained
from trainer.loop import fit
from trainer.networks.catalogue import NETWORK_NAMES, network_from_dict
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD, Normalise
from trainer.settings.config import TrainConfig
from trainer.settings.fit_options import FitOptions


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.mark.parametrize(("half", "name"), [(False, "model.onnx"), (True, "model.fp16.onnx")])
def test_export_run_clean_passes_and_leaves_file_and_report(run: Path, pairs: Path, half: bool, name: str) -> None:
    result = export_run(run, half=half, provider="cpu")
    assert result.model == run / name
    report = json.loads((run / f"{name}.parity.json").read_text())
    assert report["passed"] is True
    assert report["frames"] == 4
    assert report["file_sha256"] == hashlib.sha256(result.model.read_bytes()).hexdigest()
    with Segmenter(result.model, "cpu") as segmenter:
        assert segmenter.spec.parity == {key: report[key] for key in segmenter.spec.parity}
        assert segmenter.spec.precision == ("fp16" if half else "fp32")
        frame = open_dataset(pairs).read("val", 0)
        labels = segmenter.segment(frame.image_hwc).labels
    with torch.no_grad():
        expected = load_trained(run / "best.safetensors").network(Normalise()(torch.from_numpy(frame.image_hwc)[None]))
    assert (labels == expected.argmax(1)[0].numpy()).mean() > 0.998


def test_export_run_twice_gives_the_same_bytes(run: Path) -> None:
    first = export_run(run, provider="cpu").model.read_bytes()
    assert export_run(run, provider="cpu").model.read_bytes() == first


def test_export_run_spec_names_the_training(run: Path, pairs: Path) -> None:
    with Segmenter(export_run(run, provider="cpu").model, "cpu") as segmenter:
        training = segmenter.spec.training
    assert training["data"] == pairs.name
    assert training["data_sha256"] == open_dataset(pairs).fingerprint()
    assert str(pairs.parent) not in json.dumps(dict(training))


@pytest.mark.parametrize("name", [name for name in NETWORK_NAMES if name != "deeplabv3"])  # it has no small shape
def test_export_run_of_each_network_passes_without_a_batch_norm(pairs: Path, tmp_path: Path, name: str) -> None:
    shape = {"width": 2} if name != "unet-fast" else {"channels": [4, 4], "blocks": [0, 1]}
    network = network_from_dict({"name": name, **shape})
    config = TrainConfig(height_px=64, width_px=96, epochs=1, precision="no", network=network)
    fit(config, open_dataset(pairs), tmp_path / "run", FitOptions(panel_every=0, overfit=2))
    model = export_run(tmp_path / "run", provider="cpu").model
    with Segmenter(model, "cpu") as segmenter:
        assert segmenter.spec.training["config"] == config_in(tmp_path / "run")
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(model).graph.node}


def config_in(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


def swapped_channels(deploy: Deploy) -> None:
    network = deploy.network
    weight = network.stem[0].weight
    weight.data = weight.data.flip(1)


def wrong_mean(deploy: Deploy) -> None:
    deploy.normalise.mean += 30


def wrong_std(deploy: Deploy) -> None:
    deploy.normalise.scale *= 1.6


def permuted_classes(deploy: Deploy) -> None:
    head = deploy.network.head
    head.weight.data, head.bias.data = head.weight.data.roll(1, 0), head.bias.data.roll(1, 0)


def bad_layer(deploy: Deploy) -> None:
    deploy.network.down[1][3].weight.data *= -1


def shifted_pixel(deploy: Deploy) -> None:
    weight = deploy.network.stem[0].weight
    weight.data = weight.data.roll(1, 3)


def huge_logits(deploy: Deploy) -> None:
    deploy.network.head.bias.data[:] = 7e4  # finite, but beyond what half can hold: every label becomes 255


@pytest.mark.parametrize(
    "fault", [swapped_channels, wrong_mean, wrong_std, permuted_classes, bad_layer, shifted_pixel, huge_logits]
)
def test_export_run_planted_fault_is_rejected(
    run: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Deploy], None]
) -> None:
    good = export_run(run, provider="cpu").model
    before = good.read_bytes(), (run / "model.onnx.parity.json").read_bytes()

    class Faulty(Deploy):
        def __init__(self, *arguments: object, **settings: object) -> None:
            super().__init__(*arguments, **settings)
            fault(self)

    monkeypatch.setattr(export.pipeline, "Deploy", Faulty)
    with pytest.raises(GateError, match=r"parity failed .*kept as model.onnx.rejected"):
        export_run(run, provider="cpu")
    assert (good.read_bytes(), (run / "model.onnx.parity.json").read_bytes()) == before
    assert json.loads((run / "model.onnx.rejected.parity.json").read_text())["passed"] is False
    assert (run / "model.onnx.rejected").exists()


def test_export_run_killed_in_the_gate_leaves_no_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export.pipeline, "compare", stop)
    before = sorted(run.iterdir())
    with pytest.raises(KeyboardInterrupt):
        export_run(run, provider="cpu")
    assert sorted(run.iterdir()) == before


def test_export_run_full_disk_keeps_the_old_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = export_run(run, provider="cpu").model.read_bytes()
    report = (run / "model.onnx.parity.json").read_bytes()
    whole = export.pipeline.write_whole

    def full(path: Path, data: bytes, verify: Callable[[bytes], None] | None = None) -> None:
        if path.name == "model.onnx":
            raise StorageError(f"{path}: disk full")
        whole(path, data, verify)

    monkeypatch.setattr(export.pipeline, "write_whole", full)
    with pytest.raises(StorageError, match=r"model\.onnx: disk full"):
        export_run(run, frames=2, provider="cpu")
    assert (run / "model.onnx").read_bytes() == old
    assert (run / "model.onnx.parity.json").read_bytes() == report


def test_export_run_other_parity_data_is_used(run: Path, pairs: Path, tmp_path: Path) -> None:
    other = shutil.copytree(pairs, tmp_path / "other")
    (other / "val" / "1.jpg").unlink()
    assert export_run(run, parity_data=other, provider="cpu").parity.frames == 3
    assert export_run(run, frames=2, provider="cpu").parity.frames == 2


def test_export_run_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"best\.safetensors: expected a checkpoint, found none"):
        export_run(tmp_path)


def test_export_run_data_gone_asks_for_parity_data(run: Path) -> None:
    (run / "data.json").write_text(json.dumps({"path": "/nowhere/pairs.zip"}))
    with pytest.raises(DataError, match=r"/nowhere/pairs.zip: the run's data is there no more.*--parity-data"):
        export_run(run)


@pytest.mark.parametrize("note", [None, "{}", "no json"])
def test_export_run_without_a_note_of_its_data_asks_for_parity_data(run: Path, note: str | None) -> None:
    if note is None:
        (run / "data.json").unlink()
    else:
        (run / "data.json").write_text(note)
    with pytest.raises(DataError, match=r"data.json: does not say where"):
        export_run(run)


def test_export_run_no_frames_asked_for_is_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="--frames must be 1 or more, got 0"):
        export_run(run, frames=0)


def test_export_run_logit_error_is_that_of_torch_in_half(run: Path, pairs: Path) -> None:
    parity = export_run(run, half=True, provider="cpu").parity
    trained = load_trained(run / "best.safetensors").network
    half = Deploy(trained, half=True, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    errors = []
    for index in range(4):
        image = torch.from_numpy(open_dataset(pairs).read("val", index).image_hwc)[None]
        with torch.no_grad():
            errors.append((half.network(half.normalise(image)).float() - trained(Normalise()(image))).abs())
    # torch rounds every sum to half, ONNX Runtime's CPU provider only what goes between nodes: the same size, no more
    assert parity.logit_error_max == pytest.approx(max(e.max().item() for e in errors), rel=0.7)
    assert parity.logit_error_mean == pytest.approx(torch.cat(errors).mean().item(), rel=0.5)


def test_export_run_no_validation_split_is_refused(run: Path, pairs: Path, tmp_path: Path) -> None:
    other = shutil.copytree(pairs, tmp_path / "other")
    for file in (other / "val").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="found no val split"):
        export_run(run, parity_data=other)


def test_export_run_file_that_changes_its_answer_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segmenter.segment
    calls = 0

    def last_differs(self: Segmenter, frame: np.ndarray) -> Result:
        nonlocal calls
        calls += 1
        result = segment(self, frame)
        if calls == 6:  # four frames of parity, one for the record, then the finished file
            result.labels[0, 0] ^= 1
        return result

    monkeypatch.setattr(Segmenter, "segment", last_differs)
    with pytest.raises(ModelFileError, match=r"model\.onnx: answers differently"):
        export_run(run, provider="cpu")
    assert not (run / "model.onnx").exists()
