"""The oldest ONNX Runtime that the files are promised to: 1.20, in an environment of its own."""

import platform
import sys
from pathlib import Path

import pytest

OLDEST = "onnxruntime==1.20.1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        sys.version_info >= (3, 14), reason=f"{OLDEST} has no wheel for Python {platform.python_version()}"
    ),
]


def test_file_opens_and_gives_the_labels(case, embedding: Path, environment, record_testsuite_property) -> None:
    agreement = case.agreement(case.labels_by(environment(OLDEST), embedding / "segment.py"))
    record_testsuite_property(f"{case.model.stem}: agreement of {OLDEST}", agreement)
    assert agreement >= 0.9999


def test_the_older_one_gives_confidence_too(handmade, embedding: Path, environment) -> None:
    labels, confidence = handmade.answers_by(environment(OLDEST), embedding / "segment.py")
    assert handmade.agreement(labels) == 1.0
    assert confidence.tobytes() == handmade.confidence.tobytes()
