"""Graphs for peers, answered by ONNX Runtime and held against the trained network; runs of others are refused."""

import hashlib
import re
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from benchmarks.peers.files import make_files, require_plain_door
from runtime.camera import CameraSpec
from runtime.errors import CheckpointError, UsageError
from runtime.model_file import load_model_file
from trainer.evaluate import load_trained


def test_make_files_of_a_float_file_cuts_its_network_out(exported, tmp_path):
    files = make_files(load_model_file(exported.float_file), exported.float_file, exported.run, tmp_path)
    assert files.float_file == exported.float_file
    normalised_nchw = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    (logits_nchw,) = onnxruntime.InferenceSession(files.network_file).run(None, {"normalised": normalised_nchw})
    with torch.inference_mode():
        wanted = load_trained(exported.run / "best.safetensors").network(torch.from_numpy(normalised_nchw))
    np.testing.assert_allclose(logits_nchw, wanted.numpy(), rtol=1e-4, atol=1e-4)


def test_make_files_of_an_int8_file_traces_its_run_in_float(exported, tmp_path, noise_frames):
    files = make_files(load_model_file(exported.int8_file), exported.int8_file, exported.run, tmp_path)
    feed = {"image": noise_frames[0][None]}
    wanted, got = (
        onnxruntime.InferenceSession(path).run(["labels"], feed)[0] for path in (exported.float_file, files.float_file)
    )
    np.testing.assert_array_equal(got, wanted)


def test_make_files_of_an_int8_file_without_a_run_has_no_graphs(exported, tmp_path):
    files = make_files(load_model_file(exported.int8_file), exported.int8_file, None, tmp_path)
    assert (files.float_file, files.network_file) == (None, None)


@pytest.mark.parametrize("kind", ["float_file", "int8_file"])
def test_make_files_of_another_run_is_refused_with_both_hashes(exported, tmp_path, kind):
    path = getattr(exported, kind)
    hashes = [
        hashlib.sha256(each.read_bytes()).hexdigest()[:16] for each in (path, exported.other / "best.safetensors")
    ]
    with pytest.raises(CheckpointError, match=f"{re.escape(str(path))} .sha256 {hashes[0]}.*{hashes[1]}.*network"):
        make_files(load_model_file(path), path, exported.other, tmp_path)


@pytest.mark.parametrize(
    ("kind", "altered", "told"),
    [
        ("float_file", "up.1.enlarge.weight", "network.up.1.enlarge.weight"),
        ("float_file", "head.bias", "network.head.bias"),
        ("int8_file", "head.weight", "network.head.weight"),
        ("int8_file", "up.1.enlarge.weight", "convolution_1.weight"),  # a transposed one, which int8 rewrites
    ],
)
def test_make_files_of_one_altered_weight_is_refused_by_name(exported, tmp_path, kind, altered, told):
    from trainer.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

    loaded = load_checkpoint(exported.run / "best.safetensors")
    tensors = {name: tensor.clone() for name, tensor in loaded.tensors.items()}
    tensors[f"model.{altered}"].view(-1)[0] += 0.05
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run" / "best.safetensors", Checkpoint(tensors=tensors, record=loaded.record))
    path = getattr(exported, kind)
    with pytest.raises(CheckpointError, match=f"its '{re.escape(told)}' is another"):
        make_files(load_model_file(path), path, tmp_path / "run", tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"camera": CameraSpec(height_px=32, width_px=32, layout="nv12", yuv_matrix="bt601", yuv_range="full")},
            "camera",
        ),
        ({"batch": 4}, "batches"),
        ({"confidence": {"temperature": 1.0}, "batch": 2}, "confidence and batches"),
    ],
)
def test_require_plain_door_refuses_what_peers_do_not_do(exported, changes, told):
    checked = load_model_file(exported.float_file)
    with pytest.raises(UsageError, match=f"got a file for .*{told}"):
        require_plain_door(replace(checked, spec=replace(checked.spec, **changes)), exported.float_file)
