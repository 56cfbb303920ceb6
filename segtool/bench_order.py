"""From the flags of `segtool bench` to an order: each scenario's settings out of those flags that it reads."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import usable_cores
from benchmarks.order import Order, Settings
from benchmarks.peers.measure import PeerSettings
from benchmarks.scenarios.camera import CameraSettings
from benchmarks.scenarios.cold_start import ColdStartSettings
from benchmarks.scenarios.load import parse_load
from benchmarks.scenarios.offline import OfflineSettings
from benchmarks.scenarios.single_stream import SingleStreamSettings
from benchmarks.scenarios.soak import SoakSettings
from benchmarks.scenarios.stages import StagesSettings
from benchmarks.scenarios.sweep import SweepSettings
from runtime.errors import UsageError
from runtime.options import EngineOptions
from segtool.bench_flags import READ_BY, SPECIAL
from segtool.engine_flags import engine_options

SETTINGS: Mapping[str, Callable[..., Settings]] = {
    "single-stream": SingleStreamSettings,
    "camera": CameraSettings,
    "offline": OfflineSettings,
    "cold-start": ColdStartSettings,
    "soak": SoakSettings,
    "sweep": SweepSettings,
    "stages": StagesSettings,
    "peers": PeerSettings,
}
FIELDS = {"rate": "rate_hz", "peers": "names"}  # where a setting has another name than its flag
NO_SETTING = frozenset({"seed", "cache", "run", "sizes", "ready_budget_ms"})  # the order's, or a gate's


def make_order(scenario: str, files: tuple[Path, ...], flags: Mapping[str, Any], given: Collection[str]) -> Order:
    """Composes the order.

    Args:
        scenario: its name.
        files: the model files.
        flags: every flag's value, by its parameter's name.
        given: names of those that were written on the command line.

    Raises:
        UsageError: a flag that the scenario has no use for, several providers or numbers of threads outside a sweep,
            or a setting out of range.
    """
    unread = [name for name in given if name in SPECIAL and name not in READ_BY[scenario]]
    if unread:
        flag = f"--{unread[0].replace('_', '-')}"
        users = ", ".join(name for name, read in READ_BY.items() if unread[0] in read)
        raise UsageError(f"{flag}: one of {users} was expected, which read it, got {scenario}; leave it out")
    threads = flags["threads"] or (usable_cores() or 1,)
    for flag, values in (("--threads", threads), ("--provider", flags["providers"])):
        if len(values) > 1 and scenario != "sweep":
            raise UsageError(f"{flag}: one was expected for {scenario}, got {len(values)}; or use a sweep")
    if len(flags["providers"]) > 1 and "auto" in flags["providers"]:
        raise UsageError("--provider: names were expected beside each other, got auto, which may be one of them")
    if "split" in given and flags["data"] is None:
        raise UsageError("--split: a data set was expected that it is a part of, got no --data; give it")
    cached = "tensorrt" if "tensorrt" in flags["providers"] else flags["providers"][0]
    engine = engine_options(cached, flags["cache"], threads[0])
    return Order(
        scenario=scenario,
        settings=_settings(scenario, flags, given, engine),
        engine=engine,
        files=files,
        providers=flags["providers"],
        threads=threads,
        data=flags["data"],
        split=flags["split"],
        seed=flags["seed"],
        run=flags["run"],
        sizes=tuple((height_px, width_px) for width_px, height_px in flags["sizes"] or ()),
    )


def _settings(scenario: str, flags: Mapping[str, Any], given: Collection[str], engine: EngineOptions) -> Settings:
    asked: dict[str, Any] = {
        FIELDS.get(name, name): flags[name] for name in READ_BY[scenario] if name in given and name not in NO_SETTING
    }
    if scenario in ("offline", "sweep", "peers") and "repeats" in asked:
        asked["rounds"] = asked.pop("repeats")
    if scenario == "single-stream":
        asked.pop("budget_ms", None)  # a gate here
    if "load" in asked:
        asked["load"] = parse_load(asked["load"])
    if "names" in asked:
        asked["names"] = tuple(name.strip() for name in asked["names"].split(","))
    if scenario == "peers":
        asked |= {"threads": engine.threads, "seed": flags["seed"]}
        if "frames" in asked:
            asked["calls_per_round"] = -(-asked.pop("frames") // asked.get("rounds", PeerSettings.rounds))
    if scenario == "cold-start":
        asked |= {"provider": flags["providers"][0], "options": engine}
    if scenario == "sweep":
        asked["options"] = engine
    return SETTINGS[scenario](**asked)
