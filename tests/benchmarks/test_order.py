"""Which frames a scenario gets, what is said of them, and that a file is opened cold."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.latency import distinct_frames, noise_frames, real_frames
from benchmarks.order import Order, different_frames, make_frames, opened, told_frames
from benchmarks.peers.measure import PeerSettings
from benchmarks.scenarios.cold_start import ColdStartSettings
from benchmarks.scenarios.single_stream import SingleStreamSettings
from benchmarks.scenarios.sweep import SweepSettings
from runtime.errors import DataError
from runtime.options import EngineOptions

FILE = Path("a.onnx")


def order_of(scenario="single-stream", settings=None, **changes):
    settings = settings or SingleStreamSettings(frames=50)
    return Order(**{"scenario": scenario, "settings": settings, "files": (FILE,), "threads": (2, 1)} | changes)


def test_order_opens_on_the_first_provider_with_the_first_number_of_threads():
    order = order_of(providers=("cpu", "cuda"))
    assert (order.provider, order.options.threads) == ("cpu", 2)


def test_opened_runs_no_frame_before_the_scenarios_own(monkeypatch):
    asked = []

    class Opened:
        def __init__(self, path, provider, **arguments):
            asked.append((path, provider, arguments))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            asked.append("closed")

    monkeypatch.setattr("benchmarks.order.Segmenter", Opened)
    order = order_of()
    with opened(order, FILE) as segmenter:
        assert isinstance(segmenter, Opened)
    assert asked == [(FILE, "auto", {"options": order.options, "warmup_frames": 0, "self_test": False}), "closed"]


def test_make_frames_without_data_is_noise_of_the_seed(stub_segmenter):
    spec = stub_segmenter().spec
    first, again, other = (make_frames(order_of(seed=seed), spec, 3) for seed in (1, 1, 2))
    assert [frame.shape for frame in first] == [(4, 6, 3)] * 3
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_make_frames_of_data_that_is_not_there_is_refused(stub_segmenter, tmp_path):
    with pytest.raises(DataError, match="absent"):
        make_frames(order_of(data=tmp_path / "absent"), stub_segmenter().spec, 3)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (SingleStreamSettings(frames=50), 50),
        (PeerSettings(rounds=7, calls_per_round=3), 21),
        (ColdStartSettings(options=EngineOptions()), 1),
        (SweepSettings(frames=12), 12),
    ],
)
def test_different_frames_are_as_many_as_a_scenario_measures(settings, count):
    assert different_frames(settings) == count


@pytest.mark.parametrize(
    ("scenario", "settings", "told"),
    [
        ("single-stream", SingleStreamSettings(frames=50), ("uniform noise, seed 4", 32)),
        ("single-stream", SingleStreamSettings(frames=5), ("uniform noise, seed 4", 5)),
        ("peers", PeerSettings(rounds=3, calls_per_round=2), ("uniform noise, seed 4", 6)),
        ("cold-start", ColdStartSettings(options=EngineOptions()), ("one level of grey", 1)),
        ("sweep", SweepSettings(frames=12), ("uniform noise, seed 0", 4)),  # whatever the seed: its processes' own
    ],
)
def test_told_frames_says_what_was_really_run(stub_segmenter, scenario, settings, told):
    assert told_frames(order_of(scenario, settings, seed=4), stub_segmenter().spec) == told


@pytest.mark.parametrize("batch", [1, 3, 40])
@pytest.mark.parametrize("available", [1, 7, 100])
def test_distinct_frames_counts_what_would_be_made(stub_segmenter, batch, available):
    spec = stub_segmenter(batch=batch).spec
    image_hwc = np.zeros((4, 6, 3), np.uint8)
    dataset = SimpleNamespace(
        frames=lambda _: range(available), read=lambda _, index: SimpleNamespace(image_hwc=image_hwc, name=str(index))
    )
    for count in (1, 5, 50):
        assert distinct_frames(spec, count) == len(noise_frames(spec, count, 0))
        assert distinct_frames(spec, count, available) == len(real_frames(dataset, "val", spec, count, 0))
