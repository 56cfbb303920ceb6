import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from runtime import start as start_module
from runtime.engine.libraries import driver_missing
from runtime.errors import (
    ClosedError,
    DeviceError,
    FrameError,
    IntegrityError,
    ModelFileError,
    ProviderUnavailable,
    UsageError,
)
from runtime.options import EngineOptions
from runtime.seal import seal
from runtime.segmenter import Segmenter
from runtime.spec import ModelSpec

HEIGHT, WIDTH = 24, 32
Fail = onnxruntime.capi.onnxruntime_pybind11_state.Fail
EPFail = onnxruntime.capi.onnxruntime_pybind11_state.EPFail
Reference = Callable[[np.ndarray], np.ndarray]


def frames(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def test_segment_labels_are_those_of_an_independent_reference(segmenter, frame, reference_labels: Reference) -> None:
    result = segmenter.segment(frame)
    np.testing.assert_array_equal(result.labels, reference_labels(frame))
    assert len(np.unique(result.labels)) == 4
    assert (result.valid, result.provider) == (True, "cpu")
    assert 0 < result.latency_ms < 1000


def test_segment_gives_the_bytes_of_stock_onnxruntime(tiny_model_path: Path, frame) -> None:
    import numpy as np
    import onnxruntime as ort

    session = ort.InferenceSession(str(tiny_model_path), providers=["CPUExecutionProvider"])
    (labels,) = session.run(["labels"], {"image": frame[np.newaxis]})
    stock = labels[0].tobytes()

    with Segmenter(tiny_model_path, "cpu") as segmenter:
        assert segmenter.segment(frame).labels.tobytes() == stock


def test_segment_frame_after_frame_answers_each_and_keeps_earlier_results(
    segmenter, reference_labels: Reference
) -> None:
    several = frames(5, seed=2)
    results = [segmenter.segment(frame) for frame in several]
    for frame, result in zip(several, results, strict=True):
        np.testing.assert_array_equal(result.labels, reference_labels(frame))


def test_segment_into_out_returns_that_very_array(segmenter, frame) -> None:
    out = np.zeros((HEIGHT, WIDTH), np.uint8)
    assert segmenter.segment(frame, out).labels is out
    np.testing.assert_array_equal(out, segmenter.segment(frame).labels)


@pytest.mark.parametrize(
    ("out", "problem"),
    [
        (np.zeros((HEIGHT, WIDTH), np.int64), r"got int64 \[24, 32\]"),
        (np.zeros((WIDTH, HEIGHT), np.uint8), r"got uint8 \[32, 24\]"),
        (np.zeros((1, HEIGHT, WIDTH), np.uint8), r"got uint8 \[1, 24, 32\]"),
        (np.zeros((HEIGHT, 2 * WIDTH), np.uint8)[:, ::2], "a strided view"),
        (np.broadcast_to(np.uint8(0), (HEIGHT, WIDTH)), "read-only"),
        ([[0] * WIDTH] * HEIGHT, "got list"),
        (bytearray(HEIGHT * WIDTH), "got bytearray"),
    ],
)
def test_segment_out_that_cannot_be_written_is_refused(segmenter, frame, out: object, problem: str) -> None:
    with pytest.raises(FrameError, match=f"out: expected .*{problem}"):
        segmenter.segment(frame, out)


def test_segment_numbers_out_of_range_are_255_and_not_valid(tmp_path: Path, make_proto) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(seal(make_proto(scale=1e6, mean=(0.0,) * 3, std=(1.0,) * 3).SerializeToString()))
    with Segmenter(path, "cpu") as segmenter:
        dark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        assert segmenter.segment(dark).valid
        dark[10, 20] = 255  # one bright pixel: logits past what fp16 can hold, in the 3x3 pixels around it
        result = segmenter.segment(dark)
    assert not result.valid
    assert {tuple(place) for place in np.argwhere(result.labels == 255)} == {
        (y, x) for y in (9, 10, 11) for x in (19, 20, 21)
    }


def test_segment_from_eight_threads_gives_no_mismatch(segmenter, reference_labels: Reference) -> None:
    several = frames(8, seed=4)
    expected = [segmenter.segment(frame).labels for frame in several]
    wrong: list[int] = []

    def work(index: int) -> None:
        wrong.extend(
            index for _ in range(100) if not np.array_equal(segmenter.segment(several[index]).labels, expected[index])
        )

    workers = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert not any(worker.is_alive() for worker in workers)
    assert wrong == []


def test_close_racing_with_segment_gives_only_closed_errors(tiny_model_path: Path, frame) -> None:
    for _ in range(10):
        segmenter = Segmenter(tiny_model_path, "cpu", options=EngineOptions(threads=1), warmup_frames=0)
        outcomes: list[str] = []

        def work(segmenter: Segmenter = segmenter, outcomes: list[str] = outcomes) -> None:
            try:
                while True:
                    segmenter.segment(frame)
            except ClosedError:
                outcomes.append("closed")

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        segmenter.close()
        for worker in workers:
            worker.join(timeout=30)
        assert outcomes == ["closed"] * 4


def test_segment_after_close_is_refused_and_close_may_come_again(tiny_model_path: Path, frame) -> None:
    with Segmenter(tiny_model_path, "cpu") as segmenter:
        segmenter.segment(frame)
    segmenter.close()
    with pytest.raises(ClosedError, match=r"model\.onnx: expected an open Segmenter, but close\(\) was called"):
        segmenter.segment(frame)
    assert segmenter.provider == "cpu"  # what it was can still be read


def test_segmenter_tells_spec_provider_hash_and_options(tiny_model_path: Path, make_spec) -> None:
    digest = hashlib.sha256(tiny_model_path.read_bytes()).hexdigest()
    options = EngineOptions(threads=2)
    segmenter = Segmenter(str(tiny_model_path), "cpu", options=options, sha256=digest)
    assert isinstance(segmenter.spec, ModelSpec)
    assert segmenter.spec == make_spec()
    assert (segmenter.provider, segmenter.sha256) == ("cpu", digest)
    assert segmenter.options is options
    assert segmenter._model.data == b""  # the engine has the weights; the file's bytes would be as much again
    assert Segmenter(tiny_model_path, "cpu").options == EngineOptions()


def test_segmenter_with_another_sha256_is_refused(tiny_model_path: Path) -> None:
    with pytest.raises(IntegrityError, match=f"expected the file with SHA-256 {'0' * 64}"):
        Segmenter(tiny_model_path, "cpu", sha256="0" * 64)


def test_segmenter_of_an_altered_file_is_refused(tiny_model_path: Path) -> None:
    data = bytearray(tiny_model_path.read_bytes())
    data[len(data) // 2] ^= 4
    tiny_model_path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"model\.onnx: expected the SHA-256"):
        Segmenter(tiny_model_path, "cpu")


@pytest.mark.parametrize("frames", [-1, 1.5, None, True])
def test_segmenter_warmup_frames_of_no_sense_are_refused(tiny_model_path: Path, frames: object) -> None:
    with pytest.raises(UsageError, match=f"warmup_frames: expected a whole number of at least 0, got {frames!r}"):
        Segmenter(tiny_model_path, "cpu", warmup_frames=frames)


def test_segmenter_provider_unknown_or_not_there_is_refused(tiny_model_path: Path) -> None:
    with pytest.raises(UsageError, match=r"provider: expected one of auto, .*, got 'gpu'"):
        Segmenter(tiny_model_path, "gpu")
    if driver_missing("cuda"):
        with pytest.raises(ProviderUnavailable, match="provider 'cuda'"):
            Segmenter(tiny_model_path, "cuda")
        assert Segmenter(tiny_model_path).provider == "cpu"


class CountingEngine:
    """Stands for the bound session; fails with `error` where one is given."""

    error: Exception | None = None
    runs = 0
    cuda_graph = "off"

    def __init__(self, *_: object) -> None:
        type(self).runs = 0

    def run(self, _: np.ndarray, out: np.ndarray) -> None:
        type(self).runs += 1
        if type(self).error is not None:
            raise type(self).error
        out[:] = 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_segmenter_warms_up_with_as_many_frames_as_asked(tiny_model_path: Path, monkeypatch, count: int) -> None:
    monkeypatch.setattr(start_module, "open_engine", CountingEngine)
    Segmenter(tiny_model_path, "cpu", warmup_frames=count)
    assert CountingEngine.runs == count


@pytest.mark.parametrize(("provider", "kind"), [("cpu", ModelFileError), ("cuda", DeviceError)])
def test_segmenter_failing_in_the_warm_up_blames_the_file_on_the_cpu(
    tiny_model_path: Path, monkeypatch, provider: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(start_module, "open_engine", CountingEngine)
    monkeypatch.setattr(start_module, "open_session", lambda *_, **__: (onnxruntime.SessionOptions(), provider))
    monkeypatch.setattr(CountingEngine, "error", Fail("planted failure"))
    with pytest.raises(kind, match=rf"model\.onnx: expected provider '{provider}' to run it, .*: planted failure"):
        Segmenter(tiny_model_path, provider)


def test_segment_engine_failure_is_a_device_error_each_time(tiny_model_path: Path, frame, monkeypatch, capfd) -> None:
    segmenter = Segmenter(tiny_model_path, "cpu")

    def fail(*_: object) -> None:
        raise EPFail("planted failure of the provider")

    monkeypatch.setattr(segmenter._engine._session, "run_with_iobinding", fail)
    out = np.full((HEIGHT, WIDTH), 77, np.uint8)
    for _ in range(100):
        with pytest.raises(DeviceError, match="provider 'cpu' to run it, but it failed: planted failure"):
            segmenter.segment(frame, out)
    assert (out == 77).all()
    assert capfd.readouterr() == ("", "")


def test_segmenter_logs_what_its_provider_makes_of_the_precision(
    open_door: Callable[..., Segmenter], caplog: pytest.LogCaptureFixture
) -> None:
    with open_door(precision="fp16"):
        assert "fp32 between casts" in caplog.text
    caplog.clear()
    with open_door():
        assert "segmenter.note" not in caplog.text
