from benchmarks.page.medians import distinct_files, median_ms, result_of


def test_distinct_files_same_bytes_other_threads_are_two(make) -> None:
    one, other = make["file"](threads=1), make["file"](threads=2)
    found = distinct_files([make["single-stream"](files=[one]), make["single-stream"](files=[other, one])])
    assert [file["threads"] for file in found] == [1, 2]


def test_distinct_files_accuracy_of_any_record_is_kept(make) -> None:
    blind, seeing = make["file"](accuracy=None), make["file"]()
    (found,) = distinct_files([make["single-stream"](files=[blind]), make["single-stream"](files=[seeing])])
    assert found["accuracy"]["mean_iou"] == 0.6918


def test_result_of_single_stream_goes_before_camera(make) -> None:
    camera, single = make["camera"](), make["single-stream"]()
    assert result_of([camera, single], make["file"]())[0] is single["results"][0]


def test_median_ms_camera_counts_back_to_back(make) -> None:
    camera = make["camera"]()
    assert median_ms([camera], make["file"]()) == camera["results"][0]["back_to_back"]["percentiles"]["p50"]


def test_median_ms_file_without_a_latency_has_none(make) -> None:
    assert median_ms([make["cold-start"]()], make["file"]()) is None
