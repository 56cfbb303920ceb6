"""Points by turns with a child in place; then two sizes of a tiny file in real processes."""

from pathlib import Path

import pytest

from benchmarks.scenarios import sweep
from benchmarks.scenarios.child import ChildReport
from benchmarks.scenarios.sweep import SweepPoint, SweepSettings, measure_sweep, sweep_row
from runtime.errors import UsageError

from .tiny_file import CHANNELS, write_tiny


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sizes")
    return [write_tiny(folder / "small.onnx", 32, 64), write_tiny(folder / "large.onnx", 512, 640)]


def test_sweep_visits_points_forth_and_back_and_joins_their_samples(
    sizes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def child(_: Path, question: dict[str, object]) -> ChildReport:
        asked.append(question)
        # the machine grows slower with every visit, whoever is visited
        said = {"samples_ms": [float(len(asked))] * 2, "invalid": 1, "provider": "cpu", "memory_mb": len(asked)}
        return ChildReport(said=said, spawned_ns=0, received_ns=1)

    monkeypatch.setattr(sweep, "run_child", child)
    points = [SweepPoint(file=7, path=sizes[0], threads=1), SweepPoint(file=7, path=sizes[0], threads=2)]
    one, two = measure_sweep(points, SweepSettings(frames=4, rounds=2))
    assert [each["options"]["threads"] for each in asked] == [1, 2, 2, 1]
    assert asked[0]["frames"] == 2
    assert asked[0]["shape"] == [32, 64, 3]
    assert (one["median_ms"], two["median_ms"]) == (2.5, 2.5)  # of 1, 1, 4, 4 and of 2, 2, 3, 3
    assert (one["peak_memory_mb"], two["peak_memory_mb"]) == (4, 3)
    assert (one["file"], one["frames"], one["invalid_frames"], one["threads"]) == (7, 4, 2, 1)
    assert one["ms_per_megapixel"] == pytest.approx(2.5 / (32 * 64 / 1e6))


def test_sweep_of_two_sizes_sees_time_and_memory_of_each(sizes: list[Path]) -> None:
    points = [SweepPoint(file=place, path=path) for place, path in enumerate(sizes)]
    small, large = measure_sweep(points, SweepSettings(frames=12, rounds=1))
    assert (small["width_px"], small["height_px"], small["network"]) == (64, 32, "tiny")
    assert large["median_ms"] > 2 * small["median_ms"]
    activation_mb = [CHANNELS * pixels * 4 / 1e6 for pixels in (32 * 64, 512 * 640)]
    assert [small["largest_activation_mb"], large["largest_activation_mb"]] == pytest.approx(activation_mb)
    assert large["peak_memory_mb"] - small["peak_memory_mb"] > activation_mb[1]  # which it holds at least
    assert sweep_row(large)[-1] == "21.0 MB"


def test_sweep_visit_is_over_at_its_time_with_enough_for_a_median(sizes: list[Path]) -> None:
    (result,) = measure_sweep(
        [SweepPoint(file=0, path=sizes[0])], SweepSettings(frames=10_000, rounds=1, longest_s=0.01)
    )
    assert 11 <= result["frames"] < 10_000
    assert "p50" in result["latency_ms"]["percentiles"]


def test_sweep_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="got none"):
        measure_sweep([], SweepSettings())


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"warmup": -1}, {"rounds": 0}, {"longest_s": 0.0}])
def test_sweep_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        SweepSettings(**wrong)
