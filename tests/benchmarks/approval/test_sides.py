import json

import numpy as np
import pytest

from benchmarks.approval.comparison import compare
from benchmarks.approval.sides import open_side
from runtime.errors import CheckpointError, ModelFileError


def test_open_side_of_a_run_scores_as_its_evaluation_does(trained_run, pairs):
    from trainer.evaluate import evaluate_run, open_run

    trained, dataset = open_run(trained_run, pairs)
    expected = evaluate_run(trained, dataset).scores()
    with open_side(trained_run) as side:
        compared = compare(side, side, dataset)
    assert (side.classes, side.labels_px, side.batch) == (trained.classes, (64, 64), 1)
    assert side.facts["network"] == "unet 8"
    assert json.loads(json.dumps(side.facts)) == side.facts
    np.testing.assert_allclose([each.old for each in compared.scored.iou], expected.iou)
    np.testing.assert_allclose([each.new for each in compared.scored.recall], expected.accuracy)
    assert compared.scored.mean_iou.old == pytest.approx(expected.mean_iou)
    assert compared.changed.share == 0


def test_open_side_of_nothing_is_refused(tmp_path):
    with (
        pytest.raises(ModelFileError, match="absent: expected a run's folder or a FILE"),
        open_side(tmp_path / "absent"),
    ):
        pass


def test_open_side_of_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"best\.safetensors"), open_side(tmp_path):
        pass
