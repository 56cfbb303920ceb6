"""One run exported at several sizes, to measure what a size costs. These files are not proven, and not to be kept."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import UsageError
from runtime.files import write_whole

if TYPE_CHECKING:
    import onnx

    from export.numerics.calibration import Calibration
    from export.settings import ExportSettings, Precision
    from trainer.evaluate import TrainedNetwork

RUN_NAME = "not proven, for measuring only"

_SEED = 20  # of the scenes; any will do
_SCENES = 4


def sized_files(
    run: Path,
    sizes: Sequence[tuple[int, int]],
    precision: "Precision",
    folder: Path,
    advance: Callable[[int], object] = lambda _: None,
) -> list[Path]:
    """Exports a run's best weights at other sizes than it was trained at; its networks are fully convolutional.

    The proof and the golden frames are left out: no label of such a file is looked at, only its time. So these files
    must not leave the folder, which is the caller's to remove; their spec says so, and holds no parity. In fp16 and
    int8 every node that can be is in that precision: of a file that `segtool export` proves, some may have been put
    back into float, and it is slower by them. int8's ranges come from synthetic scenes at the smallest size: what its
    numbers are does not change what they take.

    Args:
        run: the training folder.
        sizes: height and width of each, pixels; at least one.
        precision: of all of them.
        folder: a temporary one.
        advance: told of each file that is written.

    Returns:
        The files, in the order of the sizes.

    Raises:
        CheckpointError: the run has no usable checkpoint.
        UsageError: no size, or one that the network can't take.
        ModelFileError: the graph does not keep the contract.
        StorageError: a file can't be written.
    """
    from export.describe import describe
    from export.graph.trace import OPSET, finish
    from export.settings import ExportSettings
    from trainer.evaluate import load_trained

    if not sizes:
        raise UsageError("sizes: expected at least 1 size, got none; give --sizes 128x128,256x256")
    trained = load_trained(run / "best.safetensors")
    settings = ExportSettings(precision=precision)
    networks = [
        replace(trained, config=replace(trained.config, height_px=height_px, width_px=width_px))
        for height_px, width_px in sizes
    ]
    calibration = _calibrated(networks, settings) if precision == "int8" else None
    paths = []
    for network in networks:
        model = _in_precision(_traced(network, settings), precision, calibration)
        size = f"{network.config.width_px}x{network.config.height_px}"
        paths.append(folder / f"{size}.{precision}.onnx")
        write_whole(paths[-1], finish(model, describe(network, RUN_NAME, settings, opset=OPSET)))
        advance(1)
    return paths


def _traced(network: "TrainedNetwork", settings: "ExportSettings") -> "onnx.ModelProto":
    from export.graph.deploy import Deploy
    from export.graph.trace import trace
    from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

    size = network.config.height_px, network.config.width_px
    return trace(Deploy(network.network, settings, *size, mean=IMAGENET_MEAN, std=IMAGENET_STD))


def _calibrated(networks: "Sequence[TrainedNetwork]", settings: "ExportSettings") -> "Calibration":
    """At the smallest size: the graphs differ in size only, and all values of a large one at once fill the memory."""
    from export.numerics.calibration import calibrate
    from export.numerics.int8 import prepare
    from trainer.data.images import resize_image
    from trainer.data.synthetic import MAX_SIZE_PX, MIN_SIZE_PX, render_scene

    smallest = min(networks, key=lambda network: network.config.height_px * network.config.width_px)
    size = smallest.config.height_px, smallest.config.width_px
    scene_px = min(max(*size, MIN_SIZE_PX), MAX_SIZE_PX)
    scenes = [resize_image(render_scene(_SEED, index, scene_px)[0], *size) for index in range(_SCENES)]
    names = [f"scene {index}" for index in range(_SCENES)]
    return calibrate(prepare(_traced(smallest, settings), settings.int8_target), scenes, names)


def _in_precision(
    model: "onnx.ModelProto", precision: "Precision", calibration: "Calibration | None"
) -> "onnx.ModelProto":
    from export.numerics.half import to_half
    from export.numerics.int8 import Int8Settings, prepare, quantise
    from export.numerics.int8_speed import cpu_has_vnni

    if calibration is not None:
        settings = Int8Settings(reduce_range=cpu_has_vnni() is False)
        return quantise(prepare(model, settings.target), calibration, settings).model
    return to_half(model) if precision == "fp16" else model
