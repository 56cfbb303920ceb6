"""Whole exports of a small trained run: what lies there afterwards, and what does not where something is wrong.

tests/export/proof holds that each fault is found; here, that what was found decides over the file.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image

import export.build
import export.pipeline
from export.numerics.int8_speed import SpeedCheck
from export.pipeline import ExportResult, export_onnx
from export.settings import CameraRequest
from runtime.errors import CheckpointError, DataError, GateError, StorageError, UsageError
from runtime.segmenter import Segmenter
from runtime.selftest import self_test
from runtime.stream.plausibility import Plausibility
from trainer.data.camera_frames import as_camera_frame
from trainer.data.dataset import open_dataset
from trainer.evaluate import load_trained
from trainer.networks.ends import Normalise

FEW = {"least_frames": 4.0}  # int8 wants 100, the small data set has 4
CAMERA = CameraRequest(width_px=96, height_px=100, layout="nv12", crop=(5, 3, 88, 90))
EXPORTS: dict[str, dict[str, Any]] = {
    "fp32": {},
    "fp16": {"precision": "fp16"},
    "int8": {"precision": "int8", "gates": FEW},
    "camera": {"camera": CAMERA, "labels_at": "camera", "confidence": True, "batch": 3, "frames": 4},
}


def speed(int8_ms: float) -> Callable[..., SpeedCheck]:
    return lambda *_: SpeedCheck(fp32_ms=5.0, int8_ms=int8_ms, threads=1, rounds=1, runs=1)


@pytest.fixture(scope="module", autouse=True)
def _int8_is_faster() -> Iterator[None]:
    """So small a network takes a millisecond in any precision: which is faster would be chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export.build, "measure_speed", speed(2.0))
        yield


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.fixture(scope="module", params=EXPORTS)
def exported(request: pytest.FixtureRequest, trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One export of each kind, made once: its name and the result."""
    copy = shutil.copytree(trained_run, tmp_path_factory.mktemp(request.param) / "run")
    return request.param, export_onnx(copy, provider="cpu", **EXPORTS[request.param])


Exported = tuple[str, ExportResult]


def report_of(result: ExportResult) -> dict[str, Any]:
    return json.loads(result.report.read_text())


def test_export_onnx_leaves_model_report_and_picture_that_belong_together(exported: Exported) -> None:
    kind, result = exported
    names = {"fp16": "model.fp16.onnx", "int8": "model.int8.onnx", "camera": "model.nv12-96x100.onnx"}
    name = names.get(kind, "model.onnx")
    run = result.model.parent
    assert (result.model, result.report, result.picture) == tuple(
        run / f"{name}{suffix}" for suffix in ("", ".parity.json", ".parity.png")
    )
    report = report_of(result)
    assert (report["passed"], report["refusals"], report["failures"]) == (True, [], [])
    assert report["frames"] == 4
    assert report["file_sha256"] == hashlib.sha256(result.model.read_bytes()).hexdigest()
    assert result.size_bytes == result.model.stat().st_size
    with Image.open(result.picture) as picture:
        assert picture.format == "PNG"
    left = {path.name for path in run.iterdir() if "model" in path.name}
    assert left == {path.name for path in (result.model, result.report, result.picture)}


def test_export_onnx_spec_says_what_was_trained_and_proven(exported: Exported, trained_run: Path, pairs: Path) -> None:
    kind, result = exported
    with Segmenter(result.model, "cpu") as segmenter:
        spec = segmenter.spec
    report = report_of(result)
    assert spec.precision == (kind if kind != "camera" else "fp32")
    assert spec.parity == {key: report[key] for key in spec.parity}
    assert spec.training["data"] == pairs.name
    assert spec.training["data_sha256"] == open_dataset(pairs).fingerprint()
    assert spec.training["config"] == json.loads((trained_run / "config.json").read_text())
    assert (spec.numerics is None) == (kind in ("fp32", "camera"))
    moved = [{"name": "least_frames", "default": 100, "used": 4}] if kind == "int8" else []
    assert spec.parity["gates_changed"] == moved


def test_export_onnx_spec_expects_what_the_file_answered_in_its_proof(exported: Exported, pairs: Path) -> None:
    data = open_dataset(pairs)
    with Segmenter(exported[1].model, "cpu") as segmenter:
        spec = segmenter.spec
        images = [as_camera_frame(data.read("val", index).image_hwc, spec) for index in range(4)]
        results = [segmenter.segment(image if spec.batch == 1 else np.stack([image] * spec.batch)) for image in images]
    # so small a label map is counted whole
    labels = np.stack([result.labels.reshape(spec.batch, -1)[0] for result in results])
    assert (spec.expected["frames"], list(spec.expected["shares"])) == (4, list(spec.classes))
    for label, name in enumerate(spec.classes):
        shares = (labels == label).mean(axis=1)
        assert spec.expected["shares"][name] == pytest.approx([shares.min(), shares.max()], abs=1e-4)
    if spec.confidence is None:
        assert spec.expected["unsure"] is None
    else:
        confidence = np.stack([result.confidence[0] for result in results])
        assert spec.expected["unsure"] == pytest.approx((confidence < 128).mean(axis=(1, 2)).max(), abs=1e-4)
    # and so its own frames of the proof are never odd to it
    hook = Plausibility(spec)
    for image, result in zip(images, results, strict=True):
        confidence = None if result.confidence is None else result.confidence.reshape(-1, *spec.labels_shape)[0]
        assert hook.flags(image, result.labels.reshape(-1, *spec.labels_shape)[0], confidence) == ()


def test_export_onnx_file_holds_no_path_of_this_machine(exported: Exported, pairs: Path) -> None:
    data = exported[1].model.read_bytes()
    places = (pairs.parent, exported[1].model.parent, Path(export.build.__file__).parent, Path(torch.__file__).parent)
    for place in places:
        assert str(place).encode() not in data


def test_export_onnx_file_carries_golden_frames_that_it_answers_exactly(exported: Exported) -> None:
    with Segmenter(exported[1].model, "cpu") as segmenter:
        found = self_test(segmenter)
        golden = segmenter.golden_frames()
        assert segmenter.spec.golden["source"] == "synthetic scenes"
    assert found.agreement == (1.0, 1.0)
    assert len({frame.image.tobytes() for frame in golden}) == 2
    assert all(len(np.unique(frame.labels)) > 1 for frame in golden)  # one label everywhere would test little


@pytest.mark.parametrize("exported", ["fp32", "fp16", "int8"], indirect=True)
def test_export_onnx_answers_as_torch_does(exported: Exported, trained_run: Path, pairs: Path) -> None:
    kind, result = exported
    frame = open_dataset(pairs).read("val", 0)
    with Segmenter(result.model, "cpu") as segmenter:
        labels = segmenter.segment(frame.image_hwc).labels
    with torch.no_grad():
        image = Normalise()(torch.from_numpy(frame.image_hwc)[None])
        expected = load_trained(trained_run / "best.safetensors").network(image)
    assert (labels == expected.argmax(1)[0].numpy()).mean() > (0.95 if kind == "int8" else 0.998)


@pytest.mark.parametrize("exported", ["camera"], indirect=True)
def test_export_onnx_for_a_camera_takes_its_frames_and_answers_at_its_crop(exported: Exported, pairs: Path) -> None:
    frames = [open_dataset(pairs).read("val", index) for index in (0, 1, 2)]
    with Segmenter(exported[1].model, "cpu") as segmenter:
        spec = segmenter.spec
        images = [as_camera_frame(frame.image_hwc, spec) for frame in frames]
        result = segmenter.segment(np.stack(images))
    assert (spec.frame_shape, spec.labels_shape, spec.batch) == ((150, 96), (90, 88), 3)
    assert (spec.camera.yuv_matrix, spec.camera.yuv_range) == ("bt601", "limited")  # said, though nobody asked
    assert result.labels.shape == result.confidence.shape == (3, 90, 88)
    for labels, frame in zip(result.labels, frames, strict=True):
        truth = np.asarray(Image.fromarray(frame.labels_hw).resize((88, 90), Image.Resampling.NEAREST))
        assert (labels == truth).mean() > 0.9
    assert 1 / 16 <= spec.confidence["temperature"] <= 16
    assert {stage["name"] for stage in report_of(exported[1])["stages"]} >= {"colour", "resized", "normalised"}


@pytest.mark.parametrize("exported", ["fp16"], indirect=True)
def test_export_onnx_fp16_says_that_a_cpu_computes_it_in_float32(exported: Exported) -> None:
    # ONNX Runtime's CPU provider puts casts around half nodes: what ran there proves nothing of half arithmetic
    result = exported[1]
    assert any("0 did" in note for note in result.notes)
    half = report_of(result)["half_arithmetic"]
    assert (half["half_arithmetic"], half["in_half"]) == (False, {})
    assert half["asked"] > 5
    weights = onnx.load(result.model).graph.initializer
    assert {numpy_helper.to_array(weight).dtype for weight in weights if "weight" in weight.name} == {
        np.dtype(np.float16)
    }


@pytest.mark.parametrize("exported", ["int8"], indirect=True)
def test_export_onnx_int8_is_smaller_and_says_how_fast_and_how_calibrated(exported: Exported) -> None:
    result = exported[1]
    assert any("2.50 times as fast" in note for note in result.notes)
    report = report_of(result)
    assert report["speed"]["times_faster"] == 2.5
    assert report["numerics"]["search"]["passed"] is True
    graph = onnx.load(result.model).graph
    assert "QuantizeLinear" in {node.op_type for node in graph.node}
    assert np.dtype(np.int8) in {numpy_helper.to_array(weight).dtype for weight in graph.initializer}


@pytest.mark.parametrize("exported", ["fp32", "int8"], indirect=True)
def test_export_onnx_twice_gives_the_same_bytes(exported: Exported, trained_run: Path, tmp_path: Path) -> None:
    kind, first = exported
    run = shutil.copytree(trained_run, tmp_path / "elsewhere" / "run")
    second = export_onnx(run, provider="cpu", out=tmp_path / "other.onnx", **EXPORTS[kind])
    assert second.model.read_bytes() == first.model.read_bytes()


def roll_classes(model: onnx.ModelProto) -> None:
    last = next(node for node in reversed(model.graph.node) if node.op_type == "Conv")
    for weight in model.graph.initializer:
        if weight.name in last.input:
            rolled = np.ascontiguousarray(np.roll(numpy_helper.to_array(weight), 1, 0))
            weight.CopyFrom(numpy_helper.from_array(rolled, weight.name))


def beyond_half(model: onnx.ModelProto) -> None:
    last = next(node for node in reversed(model.graph.node) if node.op_type == "Conv")
    bias = next(weight for weight in model.graph.initializer if weight.name == last.input[2])
    bias.CopyFrom(numpy_helper.from_array(np.array([3e38, *[0] * 6], np.float32), bias.name))


@pytest.mark.parametrize("fault", [roll_classes, beyond_half])
def test_export_onnx_planted_fault_is_refused_and_the_older_file_stays(
    run: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[onnx.ModelProto], None]
) -> None:
    good = [run / f"model.onnx{suffix}" for suffix in ("", ".parity.json", ".parity.png")]
    for path in good:
        path.write_bytes(b"older and good")
    honest = export.build.trace

    def faulty(*arguments: Any) -> onnx.ModelProto:
        model = honest(*arguments)
        fault(model)
        return model

    monkeypatch.setattr(export.build, "trace", faulty)
    with pytest.raises(GateError, match=r"model\.onnx: refused \(label agreement is .* kept as model\.onnx\.rejected"):
        export_onnx(run, provider="cpu")
    assert {path.read_bytes() for path in good} == {b"older and good"}
    report = json.loads((run / "model.onnx.rejected.parity.json").read_text())
    assert report["passed"] is False
    assert report["refusals"] == report["failures"] != []
    assert report["file_sha256"] == hashlib.sha256((run / "model.onnx.rejected").read_bytes()).hexdigest()
    assert (run / "model.onnx.rejected.parity.png").exists()
    with Segmenter(run / "model.onnx.rejected", "cpu") as segmenter:
        assert segmenter.spec.parity["passed"] is False


def test_export_onnx_int8_on_too_few_frames_is_refused_before_the_work(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.pipeline, "build", lambda *_, **__: pytest.fail("the work began"))
    with pytest.raises(DataError, match="int8 must be proven on 100 validation frames or more, got 4; give"):
        export_onnx(run, precision="int8", provider="cpu")


def test_export_onnx_int8_that_is_slower_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.build, "measure_speed", speed(7.0))
    with pytest.raises(GateError, match=r"int8 must be .* got 7\.00"):
        export_onnx(run, precision="int8", provider="cpu", gates=FEW)
    report = json.loads((run / "model.int8.onnx.rejected.parity.json").read_text())
    assert (report["passed"], len(report["refusals"])) == (True, 1)
    assert not (run / "model.int8.onnx").exists()


def test_export_onnx_interrupted_in_the_proof_leaves_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export.build, "prove", stop)
    before = sorted(run.iterdir())
    with pytest.raises(KeyboardInterrupt):
        export_onnx(run, provider="cpu")
    assert sorted(run.iterdir()) == before


def test_export_onnx_other_frames_are_used(run: Path, pairs: Path, tmp_path: Path) -> None:
    other = shutil.copytree(pairs, tmp_path / "other")
    (other / "val" / "1.jpg").unlink()
    result = export_onnx(run, parity_data=other, golden=other, provider="cpu")
    assert result.parity.measured.frames == 3
    with Segmenter(result.model, "cpu") as segmenter:
        assert segmenter.spec.golden["source"] == "other"
        expected = open_dataset(other).read("val", 0).image_hwc
        np.testing.assert_array_equal(segmenter.golden_frames()[0].image, expected)


def test_export_onnx_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"best\.safetensors: expected a checkpoint, found none"):
        export_onnx(tmp_path)


def test_export_onnx_data_gone_asks_for_other_data(run: Path, pairs: Path) -> None:
    (run / "data.json").write_text(json.dumps({"path": "/nowhere/pairs.zip"}))
    with pytest.raises(DataError, match=r"/nowhere/pairs.zip: the run's data is there no more.*--parity-data"):
        export_onnx(run)
    with pytest.raises(DataError, match=r"/nowhere/pairs.zip: the run's data is there no more.*--calibration"):
        export_onnx(run, precision="int8", parity_data=pairs)


@pytest.mark.parametrize("note", [None, "{}", "no json"])
def test_export_onnx_without_a_note_of_its_data_asks_for_it(run: Path, note: str | None) -> None:
    if note is None:
        (run / "data.json").unlink()
    else:
        (run / "data.json").write_text(note)
    with pytest.raises(DataError, match=r"data.json: does not say where"):
        export_onnx(run)


@pytest.mark.parametrize(("split", "precision"), [("val", "fp32"), ("train", "fp16"), ("train", "int8")])
def test_export_onnx_without_frames_of_a_split_says_which(
    run: Path, pairs: Path, tmp_path: Path, split: str, precision: Any
) -> None:
    other = shutil.copytree(pairs, tmp_path / "other")
    shutil.rmtree(other / split)
    advice = "" if split == "val" else "; fp16 and int8 are fitted to it, --calibration names another one"
    where = {"parity_data": other} if split == "val" else {"calibration": other}
    with pytest.raises(DataError, match=f"expected frames in a folder '{split}', got none .*{advice}"):
        export_onnx(run, precision=precision, **where)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "--frames must be 1 or more, got 0"),
        ({"gates": {"agremeent": 1.0}}, "one of agreement, .*, got 'agremeent'"),
        ({"calibration": Path("other.zip")}, r"--calibration other\.zip: expected fp16 or int8 to fit to it, got fp32"),
        ({"out": Path("/")}, "--out /: is a folder"),
        ({"out": Path("run/best.safetensors")}, r"expected a name that ends in \.onnx, got 'best\.safetensors'"),
        ({"confidence": True, "frames": 1}, "--confidence needs --frames of 2 or more, half of them to fit to, got 1"),
        ({"labels_at": "camera"}, "--labels-at camera needs a camera's size, got none"),
        ({"labels_from": "logits"}, "--labels-from logits is for --labels-at camera, got network"),
        ({"camera": CameraRequest(width_px=128)}, "128x64, 100% wider; give --crop 32,0,64,64"),
        ({"camera": CameraRequest(yuv_range="full")}, "expected yuv_range to be None for rgb, got 'full'"),
        ({"batch": 65}, "--batch must be 1 to 64, got 65"),
    ],
)
def test_export_onnx_arguments_that_cannot_be_are_refused(run: Path, arguments: dict[str, Any], message: str) -> None:
    before = sorted(run.iterdir())
    with pytest.raises(UsageError, match=message):
        export_onnx(run, **arguments)
    assert sorted(run.iterdir()) == before


def test_export_onnx_where_nothing_can_be_written_says_so_before_the_work(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.pipeline, "load_trained", lambda _: pytest.fail("the work began"))
    with pytest.raises(StorageError, match=r"/proc/nowhere/m\.onnx: its folder could not be made"):
        export_onnx(run, out=Path("/proc/nowhere/m.onnx"))
