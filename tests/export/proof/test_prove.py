"""Whole proofs of small networks: clean exports pass, and each fault, planted alone, fails (faults.md X1)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import export.graph.resize
from export.proof.gates import GATES, with_overrides
from export.proof.prove import prove
from export.settings import ExportSettings
from runtime.camera import CameraSpec
from runtime.errors import ModelFileError, UsageError
from trainer.data.dataset import Frame
from trainer.evaluate import TrainedNetwork
from trainer.networks.catalogue import NETWORK_NAMES, NetworkConfig, network_name
from trainer.networks.deeplabv3 import DeepLabV3Config
from trainer.networks.deeplabv3plus import DeepLabV3PlusConfig
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.unet import UNetConfig
from trainer.networks.unet_fast import UNetFastConfig

Make = Callable[..., Any]
YUV = {"yuv_matrix": "bt601", "yuv_range": "limited"}
NETWORKS: list[NetworkConfig] = [
    UNetConfig(width=4, depth=2, up="bilinear"),
    UNetFastConfig(channels=(8, 8), blocks=(0, 1)),
    EncoderUNetConfig(width=4),
    DeepLabV3PlusConfig(width=8),
    DeepLabV3Config(),
]
FAST = {"unet", "unet-fast"}


def camera(**changes: Any) -> ExportSettings:
    """A camera of 96x80 with a crop, its labels at its own size."""
    whole = {"height_px": 80, "width_px": 96, "resize": "products", "crop": (4, 2, 90, 76), **changes}
    return ExportSettings(camera=CameraSpec(**whole), labels_at="camera", confidence=True)


def test_networks_are_all_here() -> None:
    assert {network_name(config) for config in NETWORKS} == set(NETWORK_NAMES)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4))])
def test_prove_clean_export_passes(train: Make, graph_of: Make, file_of: Make, unseen: list[Frame], seed: int) -> None:
    trained = train(seed)
    parity = prove(trained, file_of(trained, graph_of(trained)), unseen)
    assert parity.failures == ()
    assert parity.measured.everywhere.agreement == 1
    assert len(np.unique([frame.labels_hw for frame in unseen])) > 5
    assert parity.measured.truth.reference.mean_iou > 0.2  # it has learnt something: constant labels would prove little
    assert {verdict.state for verdict in parity.verdict.classes} > {"passed"}


@pytest.mark.parametrize(
    "config",
    [pytest.param(c, id=network_name(c), marks=[pytest.mark.slow] * (network_name(c) not in FAST)) for c in NETWORKS],
)
def test_prove_clean_export_of_each_network_passes(
    train: Make, graph_of: Make, file_of: Make, unseen: list[Frame], config: NetworkConfig
) -> None:
    trained = train(network=config, steps=4)
    assert prove(trained, file_of(trained, graph_of(trained)), unseen[:4]).failures == ()


@pytest.mark.parametrize("precision", GATES)
def test_prove_planted_fault_fails_under_each_set_of_gates(
    trained: TrainedNetwork,
    plain_graph: onnx.ModelProto,
    file_of: Make,
    unseen: list[Frame],
    fault: tuple[str, Callable[[onnx.ModelProto], None]],
    precision: str,
) -> None:
    data = file_of(trained, plain_graph, fault=fault[1])
    parity = prove(trained, data, unseen, gates=GATES[precision])
    assert not parity.passed
    # the labels alone tell: a pack on the target has no stages
    assert parity.verdict.failures, parity.report()["pixels"]
    assert parity.summary()["passed"] is False


def shifted_by_half(old_px: int, new_px: int) -> Any:
    import torch

    scale = old_px / new_px
    centres = (torch.arange(new_px, dtype=torch.float64) + 0.5)[:, None] * scale + 0.5
    distances = (torch.arange(old_px, dtype=torch.float64)[None] + 0.5 - centres) / max(scale, 1.0)
    weights = (1.0 - distances.abs()).clamp(min=0.0)
    return weights / weights.sum(dim=1, keepdim=True)


def nearest(old_px: int, new_px: int) -> Any:
    import torch

    places = ((torch.arange(new_px) + 0.5) * old_px / new_px).long()
    return torch.nn.functional.one_hot(places, old_px).double()


@pytest.mark.parametrize("weights", [shifted_by_half, nearest])
def test_prove_wrong_resize_fails_at_the_stage_resized(
    trained: TrainedNetwork, graph_of: Make, file_of: Make, unseen: list[Frame], monkeypatch: Any, weights: Callable
) -> None:
    settings = camera()
    monkeypatch.setattr(export.graph.resize, "triangle_weights", weights)
    graph = graph_of(trained, settings, lambda _: None)
    parity = prove(trained, file_of(trained, graph, settings), unseen)
    off = [stage.name for stage in parity.stages if not stage.within]
    assert off[:2] == ["resized", "resized, Pillow"]
    assert parity.verdict.failures


@pytest.mark.parametrize("other", [{"yuv_matrix": "bt709"}, {"yuv_range": "full"}], ids=["matrix", "range"])
def test_prove_wrong_colours_fail_at_the_stage_colour(
    trained: TrainedNetwork, graph_of: Make, file_of: Make, unseen: list[Frame], other: dict[str, str]
) -> None:
    graph = graph_of(trained, camera(layout="nv12", **YUV))
    parity = prove(trained, file_of(trained, graph, camera(layout="nv12", **{**YUV, **other})), unseen)
    assert next(stage.name for stage in parity.stages if not stage.within) == "colour"
    assert parity.verdict.failures


@pytest.mark.parametrize(
    "settings",
    [
        camera(),
        camera(layout="nv12", **YUV),
        ExportSettings(
            camera=CameraSpec(height_px=80, width_px=96, layout="bgr", resize="resize-node"),
            labels_at="camera",
            labels_from="labels",
            confidence=True,
            batch=5,
        ),
    ],
    ids=["rgb", "nv12", "bgr batch of 5"],
)
def test_prove_clean_export_for_a_camera_passes(
    trained: TrainedNetwork, graph_of: Make, file_of: Make, unseen: list[Frame], settings: ExportSettings
) -> None:
    graph = graph_of(trained, settings)
    parity = prove(trained, file_of(trained, graph, settings), unseen)
    assert parity.failures == ()
    assert parity.confidence.pixels == parity.measured.everywhere.pixels
    assert parity.confidence.largest <= 1
    assert [stage.name for stage in parity.stages if "Pillow" in stage.name] == ["resized, Pillow"]


def test_prove_swapped_cameras_bgr_read_as_rgb_fails(
    trained: TrainedNetwork, graph_of: Make, file_of: Make, unseen: list[Frame]
) -> None:
    graph = graph_of(trained, camera())
    parity = prove(trained, file_of(trained, graph, camera(layout="bgr")), unseen)
    assert next(stage.name for stage in parity.stages if not stage.within) == "resized"
    assert parity.verdict.failures


def test_prove_confidence_of_another_temperature_fails(
    trained: TrainedNetwork, graph_of: Make, file_of: Make, unseen: list[Frame]
) -> None:
    settings = ExportSettings(confidence=True)
    graph = graph_of(trained, settings, lambda deploy: setattr(deploy.back, "temperature", 1.5))
    parity = prove(trained, file_of(trained, graph, settings), unseen)
    assert [failure.split(" is off")[0] for failure in parity.failures] == ["confidence"]


def test_prove_moved_gate_is_told_in_summary_and_report(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, unseen: list[Frame]
) -> None:
    gates = with_overrides("fp32", {"agreement": 0.5})
    parity = prove(trained, file_of(trained, plain_graph), unseen[:1], gates=gates)
    changed = [{"name": "agreement", "default": 0.9999, "used": 0.5}]
    assert parity.summary()["gates_changed"] == parity.report()["gates_changed"] == changed


def test_prove_hands_each_frame_to_the_watcher(
    trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make, unseen: list[Frame]
) -> None:
    seen = []
    prove(trained, file_of(trained, plain_graph), unseen[:3], watch=lambda frame, _, got: seen.append((frame, got)))
    assert [frame.name for frame, _ in seen] == [frame.name for frame in unseen[:3]]
    assert all(got.labels_hw.shape == (64, 64) for _, got in seen)


def test_prove_file_of_another_run_is_refused(
    trained: TrainedNetwork, train: Make, plain_graph: onnx.ModelProto, file_of: Make, unseen: list[Frame]
) -> None:
    from dataclasses import replace

    other = replace(trained, classes=("a", *trained.classes[1:]))
    with pytest.raises(ModelFileError, match=r"the run's classes a, construction.*got flat, construction"):
        prove(other, file_of(trained, plain_graph), unseen)


def test_prove_without_frames_is_refused(trained: TrainedNetwork, plain_graph: onnx.ModelProto, file_of: Make) -> None:
    with pytest.raises(UsageError, match="one frame or more to compare, got none"):
        prove(trained, file_of(trained, plain_graph), [])
