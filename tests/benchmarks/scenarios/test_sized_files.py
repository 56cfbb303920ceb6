"""One small trained run at two sizes: the files must be what a plain export at that size would run."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scenarios.sized_files import RUN_NAME, sized_files
from runtime.errors import UsageError
from runtime.model_file import load_model_file
from runtime.options import EngineOptions
from runtime.segmenter import Segmenter

SIZES = [(64, 96), (32, 32)]  # height, width


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_sized_files_run_at_their_size_in_their_precision(trained_run: Path, tmp_path: Path, precision: str) -> None:
    told: list[int] = []
    paths = sized_files(trained_run, SIZES, precision, tmp_path, told.append)
    assert [path.name for path in paths] == [f"96x64.{precision}.onnx", f"32x32.{precision}.onnx"]
    assert len(told) == 2
    for path, size in zip(paths, SIZES, strict=True):
        file = load_model_file(path)
        assert (file.spec.height_px, file.spec.width_px, file.spec.precision) == (*size, precision)
        assert (file.spec.parity, file.spec.golden, file.spec.training["run"]) == (None, None, RUN_NAME)
        kinds = {node.op_type for node in file.structure.nodes}
        assert ("QuantizeLinear" in kinds) == (precision == "int8")
        with Segmenter(path, "cpu", options=EngineOptions(threads=1)) as segmenter:
            assert segmenter.segment(np.zeros((*size, 3), np.uint8)).valid


def test_sized_files_label_as_the_network_does(trained_run: Path, tmp_path: Path) -> None:
    import torch

    from trainer.evaluate import load_trained
    from trainer.networks.ends import Normalise

    image = np.random.default_rng(0).integers(0, 256, (*SIZES[0], 3), np.uint8)
    network = load_trained(trained_run / "best.safetensors").network
    with torch.no_grad():
        expected = network(Normalise()(torch.from_numpy(image)[None])).argmax(1)[0].numpy()
    (path,) = sized_files(trained_run, SIZES[:1], "fp32", tmp_path)
    with Segmenter(path, "cpu", options=EngineOptions(threads=1)) as segmenter:
        assert np.mean(segmenter.segment(image).labels == expected) > 0.999


def test_sized_files_at_a_size_that_the_network_cannot_take_are_refused(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="63"):
        sized_files(trained_run, [(63, 64)], "fp32", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sized_files_of_no_size_are_refused(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got none"):
        sized_files(trained_run, [], "fp32", tmp_path)
