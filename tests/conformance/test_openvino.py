"""OpenVINO, another engine altogether: it must be told to compute in fp32, or it chooses bf16 where the CPU has it."""

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("openvino_labels.py")

# OpenVINO computes int8 files in its own way: rounded the other way once, a value is a whole step off
LEAST = {"fp32": 0.999, "fp16": 0.999, "int8": 0.99}
LEAST_BY_DEFAULT = 0.97  # bf16 has 8 bits of mantissa

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        find_spec("openvino") is None, reason='openvino is not installed: pip install -e ".[conformance]"'
    ),
]


def test_openvino_with_the_fp32_hint_gives_the_labels(case, record_testsuite_property) -> None:
    agreement = case.agreement(case.labels_by(sys.executable, SCRIPT, "f32"))
    record_testsuite_property(f"{case.model.stem}: agreement of openvino {version('openvino')}, f32", agreement)
    assert agreement >= LEAST[case.precision]


def test_openvino_by_default_is_near(case, record_testsuite_property) -> None:
    agreement = case.agreement(case.labels_by(sys.executable, SCRIPT, "default"))
    record_testsuite_property(
        f"{case.model.stem}: agreement of openvino {version('openvino')}, default precision", agreement
    )
    assert agreement >= LEAST_BY_DEFAULT
