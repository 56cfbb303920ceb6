"""A sentence for every scenario, with the figures that its record holds."""

import pytest

from benchmarks.page.findings import finding
from benchmarks.suite import SCENARIOS


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"camera"}))
def test_finding_of_every_scenario_is_a_sentence(make, scenario) -> None:
    told = finding(make[scenario]())
    assert told.endswith(".")
    assert any(character.isdigit() for character in told)


def test_finding_of_several_files_names_each(make) -> None:
    record = make["cold-start"]()
    record["files"] = [record["files"][0], {**record["files"][0], "file": "other.onnx"}]
    record["results"] = [{**record["results"][0], "outside_ms": 400.0}, {"file": 1, "outside_ms": 200.0}]
    told = finding(record)
    assert "made-up.int8.onnx: From the start" in told
    assert "400 ms" in told
    assert told.endswith("other.onnx: From the start of the process to the first valid mask 200 ms.")


def test_finding_of_peers_names_the_fastest_and_the_slowest() -> None:
    peers = [{"name": name, "ratio": {"median": ratio}} for name, ratio in (("A", 1.5), ("B", 0.9), ("C", 2.5))]
    told = finding({"scenario": "peers", "results": [{"peers": peers}]})
    assert told == "B takes 0.90 times as long and C takes 2.50 times as long as segtool."
    assert "No other engine" in finding({"scenario": "peers", "results": [{"peers": []}]})


def test_finding_of_a_sweep_is_its_growth(make) -> None:
    growth = [{"of": "unet fp32, 1 thread, cpu", "exponent": 0.998}]
    told = finding({"scenario": "sweep", "results": [{}, {}], "growth": growth})
    assert told == "unet fp32, 1 thread, cpu: time grows with pixels to the power of 1.00."
    assert finding({"scenario": "sweep", "results": [{}, {}], "growth": []}).startswith("2 settings")
