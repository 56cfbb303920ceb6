import hashlib

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization.calibrate import HistogramCollector

from export.numerics.calibration import METHODS, ValueRange, calibrate
from runtime.errors import DataError, ModelFileError, UsageError
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD


def filled(*parts: NDArray) -> ValueRange:
    found = ValueRange()
    for part in parts:
        found.add(part.astype(np.float32))
    return found


def test_value_range_counts_as_numpy_does_when_the_range_grows() -> None:
    random = np.random.default_rng(0)
    parts = [random.normal(scale=scale, size=1000) for scale in (0.01, 1.0, 30.0)]
    found = filled(*parts)
    values = np.concatenate(parts).astype(np.float32)
    expected, _ = np.histogram(values, bins=4096, range=(-found.limit, found.limit))
    assert np.array_equal(found.counts, expected)
    assert (found.lowest, found.highest) == (values.min(), values.max())
    assert found.bounds("min-max") == (values.min(), values.max())


def test_value_range_samples_evenly_but_sees_every_extreme() -> None:
    values = np.zeros((1, 8, 256, 256), np.float32)
    values[0, 3, 100, 101] = 50
    found = filled(values)
    assert found.highest == 50
    assert values.size // 10 < found.counts.sum() * 8 <= 1.1 * values.size


def test_value_range_percentile_is_numpys() -> None:
    values = np.random.default_rng(0).normal(size=60_000)
    values[:2] = 1000, -900  # freaks
    found = filled(values)
    low, high = found.bounds("percentile")
    edge = np.percentile(values, [100 - 99.9995, 99.9995])
    width = 2 * found.limit / 4096
    assert low <= edge[0] + width
    assert high >= edge[1] - width
    frames = np.random.default_rng(0).normal(size=(40, 60_000))
    frames[0, :2] = 1000, -900
    low, high = filled(*frames).bounds("percentile")  # a freak in a million is cut off
    assert (low, high) == pytest.approx((-4.4, 4.4), abs=0.7)


def test_value_range_entropy_is_near_onnxruntimes() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(size=60_000), [40.0, -40.0]]).astype(np.float32)
    found = filled(values)
    collector = HistogramCollector("entropy", False, 4096, 128, 99.999, "same")
    edges = np.linspace(-found.limit, found.limit, 4097).astype(np.float32)
    low, high = collector.get_entropy_threshold((found.counts, edges, values.min(), values.max()), 128)
    assert found.bounds("entropy") == pytest.approx((float(low), float(high)), rel=0.25)
    assert found.bounds("entropy")[1] < 10


def test_value_range_entropy_is_not_misled_by_the_zeros_of_a_relu() -> None:
    values = np.abs(np.random.default_rng(0).normal(size=60_000))
    values[:40_000] = 0
    low, high = filled(values).bounds("entropy")
    assert low == 0
    assert high > 2.5  # with the zeros counted it is 0.5


def test_value_range_of_zeros_has_the_range_zero() -> None:
    for method in METHODS:
        assert filled(np.zeros(10)).bounds(method) == (0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_value_range_keeps_what_is_not_finite(bad: float) -> None:
    found = filled(np.array([1.0, bad, 2.0]), np.array([3.0]))
    assert not np.isfinite(found.highest)


def test_calibrate_knows_the_range_of_black_and_white(small_graph: onnx.ModelProto) -> None:
    frames = [np.zeros((32, 48, 3), np.uint8), np.full((32, 48, 3), 255, np.uint8)]
    found = calibrate(small_graph, frames, ["a.png", "b.png"], threads=1)
    low = min(-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
    high = max((1 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
    assert found.bounds("min-max")["normalised"] == pytest.approx((low, high), rel=1e-5)
    clipped = next(node.output[0] for node in small_graph.graph.node if node.op_type == "Clip")
    assert 0 <= found.bounds("min-max")[clipped][0] <= found.bounds("min-max")[clipped][1] <= 6
    assert "logits" in found.values


def test_calibrate_record_is_the_hash_of_names_and_bytes(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    frames = [image[0] for image in images[:2]]
    record = calibrate(small_graph, frames, ["x", "y"], threads=1).record("entropy")
    expected = hashlib.sha256(b"x\0" + frames[0].tobytes() + b"y\0" + frames[1].tobytes()).hexdigest()
    assert record == {"method": "entropy", "frames": 2, "frames_sha256": expected}


def test_calibrate_unknown_method_is_refused(small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]) -> None:
    with pytest.raises(UsageError, match="min-max, entropy, percentile, got 'mean'"):
        calibrate(small_graph, [images[0][0]], ["x"], threads=1).bounds("mean")  # type: ignore[arg-type]


def test_calibrate_no_frames_are_refused(small_graph: onnx.ModelProto) -> None:
    with pytest.raises(DataError, match="got 0 frames, 0 names"):
        calibrate(small_graph, [], [])


@pytest.mark.parametrize(
    ("frame", "found"),
    [(np.zeros((32, 40, 3), np.uint8), r"uint8 \[32, 40, 3\]"), (np.zeros((32, 48, 3), np.float32), "float32")],
)
def test_calibrate_frame_that_does_not_fit_is_refused(small_graph: onnx.ModelProto, frame: NDArray, found: str) -> None:
    with pytest.raises(DataError, match=f"frame 0: expected uint8.*got {found}"):
        calibrate(small_graph, [frame], ["x"])


def test_calibrate_network_that_overflows_is_refused(
    small_graph: onnx.ModelProto, images: list[NDArray[np.uint8]]
) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(small_graph)
    for tensor in broken.graph.initializer:
        if tensor.name.endswith(("conv3.weight", "conv4.weight")):  # finite each, not their product
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1e30), tensor.name))
    found = calibrate(broken, [images[0][0]], ["x"], threads=1)
    for method in METHODS:
        with pytest.raises(ModelFileError, match=r"expected a finite range of value .* got .*(inf|nan)"):
            found.bounds(method)
