"""What a replay leaves behind, as JSON and as rows."""

import json
import signal

import pytest

from runtime.errors import DataError
from runtime.segmenter import Segmenter
from runtime.stream import CameraCounts, Outcome, StreamResult
from segtool.replay.pace import Pace
from segtool.replay.player import Replay, ReplaySettings
from segtool.replay.record import stream_record, stream_rows, total_counts
from segtool.replay.recording import Recording
from segtool.replay.writer import ResultWriter
from trainer.json_file import json_bytes

MACHINE = {"cpu": "by hand", "load_average": [0.1, 0.1, 0.1], "cores_usable": 2}


def counts(**changes) -> CameraCounts:
    names = ("submitted", "ok", "late", "dropped", "stale", "invalid", "failed", "pending")
    return CameraCounts(**{**dict.fromkeys(names, 0), "flagged": {}, **changes})


@pytest.fixture
def replay() -> Replay:
    replay = Replay(settings=ReplaySettings(rate_hz=20.0, cameras=2), pace=Pace(20.0), shown=100, wall_s=5.0)
    for number in range(100):
        outcome = Outcome.OK if number < 90 else Outcome.STALE
        latency_ms = 2.0 if outcome is Outcome.OK else None
        reason = "" if outcome is Outcome.OK else "too old"
        replay.tally.add(
            StreamResult(
                camera="camera1",
                frame_id=number,
                captured_ns=0,
                outcome=outcome,
                age_ms=float(number + 1),
                latency_ms=latency_ms,
                reason=reason,
            )
        )
    replay.counts = {
        "camera1": counts(submitted=50, ok=45, stale=5, flagged={"dark": 2}),
        "camera2": counts(submitted=50, ok=45, stale=5, flagged={"dark": 1, "frozen": 4}),
    }
    return replay


@pytest.fixture
def record(replay, model_file):
    def make():
        with Segmenter(model_file, "cpu") as segmenter:
            recording = Recording(told="by hand", shots=lambda: iter(()))
            return stream_record(segmenter, model_file, recording, replay, ResultWriter([]), MACHINE)

    return make


def test_total_counts_add_up_over_cameras_flags_too(replay):
    assert total_counts(replay) == counts(submitted=100, ok=90, stale=10, flagged={"dark": 3, "frozen": 4})


def test_stream_record_is_json_with_the_counts_and_no_percentile_without_frames_enough(record):
    read = json.loads(json_bytes(record()))
    assert (read["schema_version"], read["kind"]) == (1, "stream")
    assert read["total"]["ok"] == 90
    assert read["cameras"]["camera2"]["flagged"] == {"dark": 1, "frozen": 4}
    assert read["age_ms"]["frames"] == read["latency_ms"]["frames"] == 90
    assert read["age_ms"]["p50"] == 45.0  # nearest rank of 1..90
    assert read["age_ms"]["p99"] is None
    assert read["frames_per_s"] == 18.0  # 90 answers in 5 s
    assert read["reasons"] == {"stale": "too old"}
    assert read["machine"] == MACHINE
    assert read["notes"] == []
    assert (read["model"]["width_px"], read["model"]["height_px"], read["provider"]) == (4, 4, "cpu")


def test_stream_record_says_where_decoding_did_not_keep_up(replay, record):
    replay.pace.late_frames, replay.pace.behind_ns, replay.pace.most_behind_ns = 40, 5_000_000_000, 300_000_000
    (note,) = record()["notes"]
    assert "40 of 100 frames were ready late, 5.00 s in all and at most 300 ms" in note
    assert "10.0 frames/s were shown and not 20" in note  # 100 frames in the 5 s planned and 5 s more


def test_stream_record_says_what_was_not_written_and_what_ended_it(replay, model_file):
    writer = ResultWriter([])
    writer.written, writer.unwritten = 60, 30
    replay.signal_number = signal.SIGTERM
    with Segmenter(model_file, "cpu") as segmenter:
        recording = Recording(told="by hand", shots=lambda: iter(()))
        ended, left_out = stream_record(segmenter, model_file, recording, replay, writer, MACHINE)["notes"]
    assert ended == "ended by SIGTERM after 100 frames"
    assert "the results of 30 answered frames were left out, 60 were written" in left_out


def test_stream_record_names_frames_that_could_not_be_read_but_not_thousands(replay, record):
    replay.unreadable = [DataError(f"{number}.png: cut") for number in range(50)]
    source = record()["source"]
    assert source["unreadable"] == 50
    assert source["unreadable_first"] == [f"{number}.png: cut" for number in range(5)]


def test_stream_rows_tell_counts_shares_and_reasons(replay, record):
    replay.unreadable = [DataError("7.png: cut")]
    rows = dict(stream_rows(record()))
    assert rows["ok"] == "90 (90.00 %)"
    assert rows["late"] == "0"
    assert rows["stale"] == "10 (10.00 %), the first: too old"
    assert rows["flag: frozen"] == "4 frames"
    assert rows["frames"] == "100 of by hand, at 20 frames/s, on 2 cameras"
    assert rows["age"].startswith("mean 45.50 ms, p50 45.00 ms, p90 81.00 ms, max 90.00 ms, p99 needs 662 frames")
    assert rows["unreadable"] == "1 frames, the first: 7.png: cut"


def test_stream_rows_of_a_replay_without_an_answer_say_so(record, replay):
    replay.tally = type(replay.tally)()
    rows = dict(stream_rows(record()))
    assert rows["age"] == rows["latency"] == "no frame was answered"
