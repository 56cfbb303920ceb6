import numpy as np
import onnxruntime
import pytest

from runtime.engine.binding import BoundSession
from runtime.engine.session import ENGINE_ERRORS


@pytest.fixture
def session(tiny_model_bytes: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(tiny_model_bytes, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("provider", ["cpu", "openvino"])  # bound once; bound before each run
def test_run_sees_each_new_frame(session, make_spec, provider: str) -> None:
    bound = BoundSession(session, provider, make_spec())
    generator = np.random.default_rng(0)
    for _ in range(5):
        frame = generator.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        out = np.empty((24, 32), np.uint8)
        bound.run(frame, out)
        (expected,) = session.run(None, {"image": frame[None]})
        np.testing.assert_array_equal(out, expected[0])


def test_run_that_fails_leaves_out_as_it_was(session, make_spec) -> None:
    bound = BoundSession(session, "cpu", make_spec())
    bound._outputs = [onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, 5, 5), np.uint8))]
    bound._binding.bind_ortvalue_output("labels", bound._outputs[0])
    out = np.full((24, 32), 77, np.uint8)
    with pytest.raises(ENGINE_ERRORS, match="labels"):
        bound.run(np.zeros((24, 32, 3), np.uint8), out)
    assert (out == 77).all()


def test_run_with_device_memory_updates_it_before_each_run(session, make_spec, monkeypatch) -> None:
    # the device's memory played by the CPU's: an OrtValue of its own, that only update_inplace changes
    real = onnxruntime.OrtValue.ortvalue_from_numpy
    asked = []

    def on_device(array: np.ndarray, device: str = "cpu", device_id: int = 0) -> onnxruntime.OrtValue:
        asked.append((device, device_id))
        return real(array.copy() if device == "cuda" else array)

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_numpy", on_device)
    bound = BoundSession(session, "tensorrt", make_spec(), 1)
    assert asked == [("cuda", 1), ("cpu", 0)]
    out = np.empty((24, 32), np.uint8)
    for level in (0, 255):
        frame = np.full((24, 32, 3), level, np.uint8)
        bound.run(frame, out)
        np.testing.assert_array_equal(out, session.run(None, {"image": frame[None]})[0][0])


@pytest.mark.parametrize(("provider", "binds"), [("cpu", 1), ("openvino", 4)])
def test_run_on_a_provider_of_unknown_memory_binds_its_input_each_time(
    session, make_spec, monkeypatch, provider, binds
) -> None:
    # binding may copy the frame to a device, so bound once such a provider would answer the first frame for ever
    calls = []
    real = onnxruntime.IOBinding.bind_ortvalue_input
    monkeypatch.setattr(
        onnxruntime.IOBinding, "bind_ortvalue_input", lambda *arguments: [calls.append(1), real(*arguments)]
    )
    bound = BoundSession(session, provider, make_spec())
    for _ in range(3):
        bound.run(np.zeros((24, 32, 3), np.uint8), np.empty((24, 32), np.uint8))
    assert len(calls) == binds
