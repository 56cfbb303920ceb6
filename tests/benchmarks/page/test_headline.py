from benchmarks.page.headline import headlines, machine_line, tail


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


def test_headlines_without_a_camera_scenario_claim_nothing(make) -> None:
    (found,) = headlines([make["single-stream"]()])
    assert found.verdict == "open"
    assert "was not measured" in found.sentence
    assert "p99 " in found.detail


def test_headlines_too_few_frames_for_a_tail_name_none(make) -> None:
    (found,) = headlines([make["camera"](frames=200)])
    assert "p99" not in found.sentence
    assert "p90 " in found.sentence


def test_tail_without_any_percentile_says_so(make) -> None:
    assert tail({"percentiles": {}, "max": 21.0}) == "slowest 21.0 ms of too few frames for a percentile"


def test_machine_line_names_the_gpu_without_its_driver() -> None:
    line = machine_line({"cpu": "C", "cores_usable": 1, "gpus": ["Board X, 550.1, 8 GiB"]})
    assert line == "C, 1 core, Board X"
