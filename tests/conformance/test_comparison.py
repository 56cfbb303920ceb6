"""The comparison that every engine is put to finds planted disagreements, also under its loosest bound."""

import sys
from pathlib import Path

import numpy as np
import pytest

LOOSEST = 0.999


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_agreement_script_that_swaps_red_and_blue_is_caught(case, embedding: Path, tmp_path: Path) -> None:
    right = (embedding / "segment.py").read_text()
    wrong = right.replace('{"image": frame}', '{"image": frame[..., ::-1].copy()}')
    assert wrong != right
    (tmp_path / "swapped.py").write_text(wrong)
    assert case.agreement(case.labels_by(sys.executable, tmp_path / "swapped.py")) < LOOSEST


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_agreement_wrong_frame_or_turned_map_is_caught(case) -> None:
    assert case.agreement(np.roll(case.labels, 1, axis=0)) < LOOSEST
    assert case.agreement(np.ascontiguousarray(case.labels.transpose(0, 2, 1))) < LOOSEST
    assert case.agreement(np.ascontiguousarray(case.labels[:, :, ::-1])) < LOOSEST


def test_agreement_counts_every_pixel(handmade) -> None:
    one_off = handmade.labels.copy()
    one_off[3, 4, 6] ^= 1
    assert handmade.agreement(handmade.labels) == 1.0
    assert handmade.agreement(one_off) == 1 - 1 / (4 * 5 * 7)


def test_agreement_missing_frame_is_a_failure(handmade) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"expected 140 labels, got 105"):
        handmade.agreement(handmade.labels[:3])


def test_labels_by_command_that_fails_is_a_failure(handmade, embedding: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('no engine here')")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)exit code 1.*no engine here"):
        handmade.labels_by(sys.executable, tmp_path / "broken.py")
