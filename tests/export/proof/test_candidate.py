import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from export.proof.candidate import Candidate, as_batch, groups
from export.settings import ExportSettings
from runtime.errors import IntegrityError
from trainer.data.augment import fit
from trainer.data.dataset import Frame
from trainer.evaluate import TrainedNetwork

Make = Callable[..., Any]
WANTED = "measure pixels resample gates verdict confidence stage_error candidate parity report repeat pack"


def test_groups_keep_every_item_in_order() -> None:
    assert list(groups(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(groups([], 3)) == []


def test_as_batch_fills_up_with_the_last_frame() -> None:
    frames = [np.full((2, 2, 3), value, np.uint8) for value in (1, 2)]
    assert as_batch(frames[:1], 1) is frames[0]
    assert as_batch(frames, 4)[:, 0, 0, 0].tolist() == [1, 2, 2, 2]


def test_candidate_batch_file_answers_each_frame_as_the_single_one(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, graph_of: Make, file_of: Make, unseen: list[Frame]
) -> None:
    settings = ExportSettings(batch=2)
    images = [fit(frame, 64, 64).image_hwc for frame in unseen[:3]]
    with Candidate(file_of(trained, plain_graph)) as single:
        assert (single.provider, single.spec.batch) == ("cpu", 1)
        alone = [single.answer([image])[0] for image in images]
    with Candidate(file_of(trained, graph_of(trained, settings), settings)) as pairs:
        together = [answer for group in groups(images, 2) for answer in pairs.answer(group)]
    assert len(together) == 3
    for one, other in zip(alone, together, strict=True):
        assert (one.labels_hw == other.labels_hw).mean() > 0.999
        assert one.confidence_hw is other.confidence_hw is None


def test_candidate_altered_bytes_are_refused(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make
) -> None:
    data = bytearray(file_of(trained, plain_graph))
    data[len(data) // 2] ^= 1
    with pytest.raises(IntegrityError, match=r"candidate\.onnx"):
        Candidate(bytes(data))


def test_proof_on_the_target_needs_neither_torch_nor_onnx() -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in ("torch", "onnx", "onnxscript", "safetensors"))
    wanted = "; ".join(f"import export.proof.{name}" for name in WANTED.split())
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {blocked}; {wanted}; print('fine')"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr
