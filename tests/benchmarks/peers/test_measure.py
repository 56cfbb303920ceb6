"""The whole comparison with stubs in place of engines, whose times and labels are known; once with real ones."""

from functools import partial

import numpy as np
import pytest

from benchmarks.peers.catalogue import ENGINES, why_left_out
from benchmarks.peers.measure import PeerSettings, measure_peers, peers_rows
from runtime.errors import CheckpointError, DeviceError, UsageError

TWICE = PeerSettings(names=("onnxruntime", "openvino-fp32"), rounds=12, calls_per_round=3, warmup=2)


class Stub:
    """Takes a known time; the machine under it becomes slower and faster by whole rounds."""

    def __init__(self, call_ms, labels_nhw, version="1.0", note=None):
        self.call_ms, self.labels_nhw, self.version, self.note = call_ms, labels_nhw, version, note
        self.turns, self.closed = [], False

    def labels(self):
        return self.labels_nhw

    def turn(self, calls):
        self.turns.append(calls)
        slowness = 1 + 0.5 * (len(self.turns) % 4)
        return [int(self.call_ms * slowness * 1e6)] * calls

    def close(self):
        self.closed = True


@pytest.fixture
def labels_nhw():
    return np.random.default_rng(0).integers(0, 3, (3, 32, 32), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _every_package_is_found(monkeypatch):
    """Stubs stand for engines whether or not their packages are here."""
    found = partial(why_left_out, find_package=lambda name: name)
    monkeypatch.setattr("benchmarks.peers.measure.why_left_out", found)


def compare(exported, stubs, frames, settings=TWICE, run=None):
    def open_engine(job):
        stub = stubs[job.name]
        if isinstance(stub, Exception):
            raise stub
        return stub

    return measure_peers(exported.float_file, run, frames, settings, open_engine=open_engine, rest=lambda: None)


def test_measure_peers_of_known_times_gives_their_ratio(exported, noise_frames, labels_nhw):
    stubs = {name: Stub(ms, labels_nhw) for name, ms in (("segtool", 4), ("onnxruntime", 6), ("openvino-fp32", 3))}
    result = compare(exported, stubs, noise_frames)
    ratios = {peer["name"]: peer["ratio"] for peer in result["peers"]}
    assert ratios == {
        "plain ONNX Runtime fp32": pytest.approx({"median": 1.5, "low": 1.5, "high": 1.5}),
        "OpenVINO fp32": pytest.approx({"median": 0.75, "low": 0.75, "high": 0.75}),
    }
    assert all(stub.turns == [2] + [3] * 12 and stub.closed for stub in stubs.values())
    assert result["rounds"] == 12
    assert result["ours_ms"]["min"] == pytest.approx(4.0)
    assert result["left_out"] == []


def test_measure_peers_shows_a_peer_that_computes_something_else(exported, noise_frames, labels_nhw):
    wrong_nhw = labels_nhw.copy()
    wrong_nhw[1, :16] = (wrong_nhw[1, :16] + 1) % 3  # half of one frame of three
    stubs = {"segtool": Stub(4, labels_nhw), "onnxruntime": Stub(1, wrong_nhw), "openvino-fp32": Stub(4, labels_nhw)}
    result = compare(exported, stubs, noise_frames)
    assert [peer["label_agreement"] for peer in result["peers"]] == pytest.approx([5 / 6, 1.0])
    assert "83.33 % of labels equal" in dict(peers_rows(result))["plain ONNX Runtime fp32 (1.0)"]


def test_measure_peers_leaves_out_a_peer_that_does_not_open(exported, noise_frames, labels_nhw):
    stubs = {
        "segtool": Stub(4, labels_nhw),
        "onnxruntime": DeviceError("no such chip"),
        "openvino-fp32": Stub(4, labels_nhw),
    }
    result = compare(exported, stubs, noise_frames)
    assert result["left_out"] == [{"name": "plain ONNX Runtime fp32", "why": "no such chip"}]
    assert dict(peers_rows(result))["plain ONNX Runtime fp32, left out"] == "no such chip"
    assert len(result["peers"]) == 1


def test_measure_peers_without_our_own_engine_fails(exported, noise_frames):
    with pytest.raises(DeviceError, match="no memory"):
        compare(exported, {"segtool": DeviceError("no memory")}, noise_frames)


def test_measure_peers_without_a_run_says_what_it_would_need(exported, noise_frames, labels_nhw):
    stubs = {"segtool": Stub(4, labels_nhw)}
    result = compare(exported, stubs, noise_frames, PeerSettings(names=("pytorch", "tensorrt"), rounds=2))
    assert [each["name"] for each in result["left_out"]] == [ENGINES[name].title for name in ("pytorch", "tensorrt")]
    assert "--run" in result["left_out"][0]["why"]


def test_measure_peers_of_another_run_is_refused_before_anything_opens(exported, noise_frames):
    with pytest.raises(CheckpointError, match="expected the run that"):
        compare(exported, {}, noise_frames, run=exported.other)


def test_measure_peers_closes_all_where_one_dies_in_a_round(exported, noise_frames, labels_nhw):
    class Dying(Stub):
        def turn(self, calls):
            raise DeviceError(f"killed before {calls} calls")

    stubs = {"segtool": Stub(4, labels_nhw), "onnxruntime": Stub(4, labels_nhw), "openvino-fp32": Dying(4, labels_nhw)}
    with pytest.raises(DeviceError, match="killed before 2 calls"):
        compare(exported, stubs, noise_frames)
    assert all(stub.closed for stub in stubs.values())


def test_measure_peers_without_frames_is_refused(exported):
    with pytest.raises(UsageError, match=r"1 frame or more.*got none"):
        compare(exported, {}, [])


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"rounds": 1}, "got 1, 10, 20 and 1"), ({"threads": 0}, "and 0;"), ({"names": ("caffe",)}, "got 'caffe'")],
)
def test_peer_settings_out_of_range_are_refused(changes, told):
    with pytest.raises(UsageError, match=told):
        PeerSettings(**changes)


def test_measure_peers_of_plain_onnxruntime_agrees_on_the_labels(exported, noise_frames):
    settings = PeerSettings(names=("onnxruntime",), rounds=2, calls_per_round=2, warmup=1)
    result = measure_peers(exported.float_file, None, noise_frames, settings, rest=lambda: None)
    (peer,) = result["peers"]
    assert peer["label_agreement"] > 0.999
    assert peer["ratio"]["low"] <= peer["ratio"]["median"] <= peer["ratio"]["high"]
    assert peer["threads"] == 1
