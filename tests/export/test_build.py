"""What `build` refuses, and what it looks at before the long work."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import export.build
from export.build import Built, Sources, build
from export.proof.candidate import Answer, Candidate
from export.proof.gates import GATES, with_overrides
from export.settings import ExportSettings
from runtime.errors import DataError, ModelFileError
from runtime.model_file import check_model_bytes
from trainer.evaluate import TrainedNetwork


def test_build_gives_a_sound_file_and_what_was_found(built: Built) -> None:
    spec, _ = check_model_bytes(built.data, "built")
    assert spec == built.spec
    assert built.refusals == ()
    assert built.notes == ()
    assert len(built.worst.frames()) == 4
    assert {key: built.report[key] for key in spec.parity} == spec.parity


def test_build_file_that_changes_its_answer_is_refused(
    small: TrainedNetwork, small_sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, calls = Candidate.answer, 0

    def last_differs(self: Candidate, images: Any) -> list[Answer]:
        nonlocal calls
        calls += 1
        answers = answer(self, images)
        if calls == 4 + 2 + 2:  # frames of the proof; golden ones for the record, then out of the finished file
            answers[0].labels_hw[0, 0] ^= 1
        return answers

    monkeypatch.setattr(Candidate, "answer", last_differs)
    with pytest.raises(ModelFileError, match="answers its golden frames differently after they were written into it"):
        build(small, "small", ExportSettings(), small_sources, gates=GATES["fp32"], provider="cpu")
    assert calls == 8


def test_build_too_few_frames_for_the_gates_are_a_refusal(small: TrainedNetwork, small_sources: Sources) -> None:
    gates = with_overrides("fp32", {"least_frames": 5})
    found = build(small, "small", ExportSettings(), small_sources, gates=gates, provider="cpu")
    assert found.refusals == ("proven on 4 frames, at least 5 are needed",)
    assert found.report["refusals"] == list(found.refusals)
    assert not found.parity.passed
    assert found.spec.parity["proven"] is False


def test_build_golden_data_that_is_not_there_ends_it_before_the_proof(
    small: TrainedNetwork, small_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.build, "trace", lambda _: pytest.fail("the long work had begun"))
    sources = replace(small_sources, golden=tmp_path / "gone.zip")
    with pytest.raises(DataError, match=r"gone\.zip"):
        build(small, "small", ExportSettings(), sources, gates=GATES["fp32"], provider="cpu")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_build_without_training_frames_is_a_mistake_of_the_caller(
    small: TrainedNetwork, small_sources: Sources, monkeypatch: pytest.MonkeyPatch, precision: Any
) -> None:
    monkeypatch.setattr(export.build, "trace", lambda _: None)
    sources = replace(small_sources, training=None)
    with pytest.raises(ValueError, match="half precision and int8 need training frames"):
        build(small, "x", ExportSettings(precision=precision), sources, gates=GATES[precision], provider="cpu")
