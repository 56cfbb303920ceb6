"""docs/embedding/segment.py: stock onnxruntime and numpy give the Segmenter's bytes."""

import sys
from pathlib import Path

import numpy as np
import pytest


def test_script_gives_labels_and_confidence(handmade, embedding: Path) -> None:
    assert np.array_equal(handmade.labels_by(sys.executable, embedding / "segment.py"), handmade.labels.ravel())
    labels, confidence = handmade.answers_by(sys.executable, embedding / "segment.py")
    assert np.array_equal(labels, handmade.labels.ravel())
    assert np.array_equal(confidence, handmade.confidence.ravel())


def test_script_knows_nothing_of_segtool_and_stays_short(embedding: Path) -> None:
    lines = (embedding / "segment.py").read_text().splitlines()
    assert {line.split()[1] for line in lines if line.startswith(("import ", "from "))} == {
        "sys",
        "numpy",
        "onnxruntime",
    }
    assert len([line for line in lines if line.strip()]) <= 15


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_script_gives_the_bytes_of_the_segmenter(case, embedding: Path) -> None:
    assert case.agreement(case.labels_by(sys.executable, embedding / "segment.py")) == 1.0
