from dataclasses import replace

import numpy as np
import pytest

from runtime.errors import ModelFileError, SelfTestError, SpecError
from runtime.selftest import SelfTest, self_test

GOLDEN = {"frames": 2, "source": "noise", "agreement": {"cpu": 0.999, "cuda": 0.99, "*": 0.98}}


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("layout", ["rgb", "bgr", "uyvy", "nv12"])
def test_self_test_of_a_whole_file_passes(open_door, layout: str, batch: int) -> None:
    result = self_test(open_door(layout=layout, batch=batch, confidence=batch == 2, golden=GOLDEN))
    assert result == SelfTest(frames=2, agreement=(1.0, 1.0), required=0.999, provider="cpu")
    assert result.passed


def test_self_test_of_a_file_that_answers_otherwise_fails_with_the_share(open_door) -> None:
    # labels are the channel // 32 where they must be // 64: the same for levels 0 to 31 only, an eighth of the noise
    result = self_test(open_door(scale=32, golden=GOLDEN, self_test=False))
    assert not result.passed
    np.testing.assert_allclose(result.agreement, 1 / 8, atol=0.04)


def test_segmenter_of_a_file_that_answers_otherwise_does_not_start(open_door) -> None:
    with pytest.raises(SelfTestError, match=r"door\.onnx: expected at least 99\.9 % of its golden .* 'cpu', got 1\d\."):
        open_door(scale=32, golden=GOLDEN)
    assert open_door(scale=64, golden=GOLDEN).health().runs == 3 + 2  # the warm-up's, and the golden ones


def test_self_test_finds_a_fault_in_one_place_of_the_batch(open_door) -> None:
    segmenter = open_door(batch=3, golden=GOLDEN)
    run = segmenter._engine.run

    def faulty(frame: np.ndarray, out: np.ndarray) -> None:
        run(frame, out)
        out[2] = 3

    segmenter._engine.run = faulty
    result = self_test(segmenter)
    assert result.agreement[1] == 1.0
    assert result.agreement[0] == pytest.approx(0.25, abs=0.06)  # the first frame stands in the third place again
    assert not result.passed


def test_self_test_of_another_provider_asks_for_what_is_named_or_the_rest(open_door, monkeypatch) -> None:
    segmenter = open_door(golden=GOLDEN)
    for provider, required in (("cuda", 0.99), ("openvino", 0.98)):
        monkeypatch.setattr(segmenter._vitals, "provider", provider)
        assert self_test(segmenter).required == required


def test_passed_at_the_required_share_and_not_below() -> None:
    at = SelfTest(frames=2, agreement=(1.0, 0.99), required=0.99, provider="cpu")
    assert at.passed
    assert not SelfTest(frames=2, agreement=(1.0, 0.9899), required=0.99, provider="cpu").passed


def test_self_test_without_golden_frames_says_how_to_get_some(segmenter) -> None:
    with pytest.raises(SpecError, match=r"model\.onnx: expected a file that carries golden frames, .* export it"):
        self_test(segmenter)


def test_self_test_of_damaged_golden_frames_is_a_model_file_error(open_door, monkeypatch) -> None:
    segmenter = open_door(golden=GOLDEN)
    monkeypatch.setattr(segmenter, "_model", replace(segmenter._model, golden="AAAA"))
    with pytest.raises(ModelFileError, match=r"door\.onnx: expected 2 golden frames of \[24, 32, 3\]"):
        self_test(segmenter)
