"""From flags to settings: what was written counts, what was not is the scenario's own default."""

from pathlib import Path

import pytest

from benchmarks.peers.measure import PeerSettings
from benchmarks.scenarios.camera import CameraSettings
from benchmarks.scenarios.cold_start import ColdStartSettings
from benchmarks.scenarios.load import Load
from benchmarks.scenarios.offline import OfflineSettings
from benchmarks.scenarios.single_stream import SingleStreamSettings
from benchmarks.scenarios.sweep import SweepSettings
from runtime.errors import UsageError
from runtime.options import EngineOptions
from segtool.bench_flags import READ_BY, SECTIONS, SPECIAL
from segtool.bench_order import SETTINGS, make_order

PLAIN = {"providers": ("auto",), "threads": None, "data": None, "split": "val", "seed": 0, "run": None, "sizes": None}
PLAIN |= {"cache": None}

ONE = EngineOptions(threads=1)


def order_of(scenario, **written):
    return make_order(scenario, (Path("a.onnx"),), PLAIN | written, written)


def test_every_scenario_has_settings_and_every_special_flag_exists():
    flags = {option.name for section in SECTIONS.values() for option in section}
    assert set(SETTINGS) == set(READ_BY)
    assert flags >= SPECIAL


@pytest.mark.parametrize("scenario", READ_BY)
def test_make_order_without_flags_takes_the_scenarios_defaults(monkeypatch, scenario):
    monkeypatch.setattr("segtool.bench_order.usable_cores", lambda: 3)
    order = order_of(scenario)
    assert (order.threads, order.provider, order.scenario) == ((3,), "auto", scenario)
    told = {"peers": {"threads": 3}, "cold-start": {"provider": "auto", "options": EngineOptions(threads=3)}}
    told["sweep"] = {"options": EngineOptions(threads=3)}
    assert order.settings == SETTINGS[scenario](**told.get(scenario, {}))


@pytest.mark.parametrize(
    ("scenario", "written", "settings"),
    [
        ("single-stream", {"frames": 9, "load": "cpu=1", "budget_ms": 5.0}, (9, Load(cpu=1))),
        ("camera", {"rate": 10.0, "cameras": 2, "budget_ms": 5.0}, CameraSettings(rate_hz=10, cameras=2, budget_ms=5)),
        ("offline", {"repeats": 4}, OfflineSettings(rounds=4)),
        ("sweep", {"repeats": 4, "warmup": 0, "threads": (1,)}, SweepSettings(rounds=4, warmup=0, options=ONE)),
        ("cold-start", {"repeats": 4, "providers": ("cpu",), "threads": (1,)}, "cold"),
        ("peers", {"peers": "openvino, pytorch", "repeats": 7, "frames": 50, "seed": 3, "threads": (1,)}, "peers"),
    ],
)
def test_make_order_gives_each_flag_its_place(scenario, written, settings):
    known = {
        "cold": ColdStartSettings(repeats=4, provider="cpu", options=ONE),
        "peers": PeerSettings(names=("openvino", "pytorch"), rounds=7, calls_per_round=8, seed=3, threads=1),
    }
    if scenario == "single-stream":
        settings = SingleStreamSettings(frames=settings[0], load=settings[1])  # its budget is a gate, no setting
    assert order_of(scenario, **written).settings == (known[settings] if isinstance(settings, str) else settings)


def test_make_order_turns_sizes_from_width_first_to_height_first():
    order = order_of("sweep", sizes=((640, 480), (32, 16)), run=Path("runs/a"))
    assert (order.sizes, order.run) == (((480, 640), (16, 32)), Path("runs/a"))


def test_make_order_of_a_sweep_takes_several_providers_and_threads():
    order = order_of("sweep", providers=("cpu", "cuda"), threads=(1, 2))
    assert (order.providers, order.threads) == (("cpu", "cuda"), (1, 2))


@pytest.mark.parametrize(
    ("scenario", "written", "told"),
    [
        ("offline", {"rate": 10.0}, "--rate: one of camera was expected.*got offline"),
        ("soak", {"ready_budget_ms": 9.0}, "--ready-budget-ms: one of cold-start"),
        ("cold-start", {"seed": 3}, "--seed: one of single-stream, .* got cold-start"),
        ("camera", {"threads": (1, 2)}, "--threads: one was expected for camera, got 2"),
        ("stages", {"providers": ("cpu", "cuda", "auto")}, "--provider: one was expected for stages, got 3"),
        ("stages", {"split": "train"}, "--split: .* got no --data"),
        ("single-stream", {"load": "disk=1"}, "disk=1"),
        ("peers", {"peers": "abacus"}, "abacus"),
    ],
)
def test_make_order_refuses_what_the_scenario_has_no_use_for(scenario, written, told):
    with pytest.raises(UsageError, match=told):
        order_of(scenario, **written)
