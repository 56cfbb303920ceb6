import pytest

from benchmarks.page.findings import tail
from benchmarks.page.headline import headlines, machine_line


def test_headlines_without_a_miss_hold(make) -> None:
    (found,) = headlines([make["camera"]()])
    assert found.verdict == "holds"
    assert found.sentence.startswith("At 30 Hz, none of 10,000 frames missed the 33.3 ms budget, through a Stream ")
    assert "unet-fast, 256x256, int8, cpu, 2 threads, on Imaginary 9000 8-Core Processor, 2 cores." in found.detail


def test_headlines_with_misses_tell_how_many_and_which_gate(make) -> None:
    (found,) = headlines([make["camera"](slow=50)])
    assert found.verdict == "fails"
    assert "50 of 10,000 frames (0.5 %) missed" in found.sentence
    assert found.detail.endswith("What failed: budget: no miss, got 50 misses.")


def test_headlines_what_fails_comes_first(make) -> None:
    found = headlines([make["camera"](), make["camera"](slow=3)])
    assert [headline.verdict for headline in found] == ["fails", "holds"]


def test_headlines_several_cameras_and_load_are_told(make) -> None:
    record = make["camera"]()
    record["results"][0] |= {"cameras": 3, "load": {"cpu": 2, "gpu": 0.5}}
    (found,) = headlines([record])
    assert found.sentence.startswith("At 30 Hz from each of 3 cameras, none")
    assert found.detail.endswith("Beside it ran 2 busy processes and work on 50 % of the GPU.")


def test_headlines_without_a_camera_scenario_claim_no_pace(make) -> None:
    (found,) = headlines([make["single-stream"]()])
    assert found.verdict == "open"
    assert "at a camera's pace it was not measured" in found.sentence
    assert "p99 " in found.sentence


@pytest.mark.parametrize(("ok", "verdict"), [(True, "passed"), (False, "refused")])
def test_headlines_without_a_camera_open_with_the_gate_that_was_asked_for(make, ok, verdict) -> None:
    record = make["single-stream"]()
    record["gates"] = [{"name": "slowdown", "limit": "at most 5 % slower", "got": "+2.0 %", "ok": ok}]
    (found,) = headlines([record])
    assert found.verdict == verdict
    assert found.sentence.startswith("slowdown: at most 5 % slower, got +2.0 %. A call takes ")


def test_headlines_of_too_few_frames_for_the_gate_do_not_say_yes(make) -> None:
    record = make["camera"](frames=200)
    record["gates"] = [{"name": "pace", "limit": "at most 0.1 %", "got": "not proven: 1000 are needed", "ok": False}]
    (found,) = headlines([record])
    assert found.verdict == "unproven"
    assert found.detail.endswith("What failed: pace: at most 0.1 %, got not proven: 1000 are needed.")


def test_headlines_beside_a_pace_that_holds_tell_of_another_records_gate_that_failed(make) -> None:
    record = make["single-stream"]()
    record["gates"] = [{"name": "budget", "limit": "p99 <= 5 ms", "got": "7 ms", "ok": False}]
    found = headlines([make["camera"](), record])
    assert [headline.verdict for headline in found] == ["refused", "holds"]
    assert "budget: p99 <= 5 ms, got 7 ms." in found[0].sentence


@pytest.mark.parametrize("scenario", ["camera", "single-stream"])
def test_headlines_of_a_busy_machine_say_so_beside_the_verdict(make, scenario) -> None:
    record = make[scenario]()
    record["machine"]["load_average"] = [6.0, 1.0, 1.0]
    (found,) = headlines([record])
    assert found.detail.endswith("load average 6.0 on 2 cores; measure again.")


def test_headlines_too_few_frames_for_a_tail_name_none(make) -> None:
    (found,) = headlines([make["camera"](frames=200)])
    assert "p99" not in found.sentence
    assert "p90 " in found.sentence


def test_tail_without_any_percentile_says_so(make) -> None:
    assert tail({"percentiles": {}, "max": 21.0}) == "slowest 21.0 ms of too few frames for a percentile"


def test_machine_line_names_the_gpu_without_its_driver() -> None:
    line = machine_line({"cpu": "C", "cores_usable": 1, "gpus": ["Board X, 550.1, 8 GiB"]})
    assert line == "C, 1 core, Board X"
