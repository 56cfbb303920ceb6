from dataclasses import asdict, fields

import pytest

from export.proof.gates import GATES, TABLE, Change, Gates, changes, with_overrides
from runtime.errors import UsageError


def test_gates_are_those_of_the_promise() -> None:
    assert (GATES["fp32"].agreement, GATES["fp16"].agreement) == (0.9999, 0.998)
    for precision in ("fp32", "fp16"):
        assert (GATES[precision].mean_iou_drop, GATES[precision].class_iou_drop) == (0.002, 0.01)
    int8 = GATES["int8"]
    assert (int8.mean_iou_drop, int8.class_iou_drop, int8.least_frames) == (0.01, 0.03, 100)


def test_table_has_a_row_and_a_reason_for_each_gate() -> None:
    assert list(TABLE) == [field.name for field in fields(Gates)]
    assert all(len(row.why) > 30 for row in TABLE.values())


def test_gates_never_get_stricter_with_a_coarser_precision() -> None:
    at_least = ("agreement", "confident_agreement", "class_likeness")
    for name, row in TABLE.items():
        values = [row.fp32, row.fp16, row.int8]
        assert values == sorted(values, reverse=name in at_least), name


def test_with_overrides_moves_a_gate_and_changes_tells() -> None:
    gates = with_overrides("fp16", {"agreement": 0.9, "class_iou_drop": 0})
    assert changes(gates, "fp16") == (
        Change(name="agreement", default=0.998, used=0.9),
        Change(name="class_iou_drop", default=0.01, used=0),
    )
    assert {**asdict(gates), "agreement": 0.998, "class_iou_drop": 0.01} == asdict(GATES["fp16"])


@pytest.mark.parametrize("precision", GATES)
def test_changes_of_the_defaults_are_none(precision: str) -> None:
    assert changes(GATES[precision], precision) == ()
    assert changes(with_overrides(precision, {}), precision) == ()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("agrement", 0.9, "got 'agrement'"),
        ("agreement", float("nan"), "gate agreement to be .* got nan"),
        ("agreement", float("inf"), "got inf"),
        ("class_iou_drop", -0.1, "gate class_iou_drop to be .* got -0.1"),
    ],
)
def test_with_overrides_of_what_is_no_gate_is_refused(name: str, value: float, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        with_overrides("fp32", {name: value})
