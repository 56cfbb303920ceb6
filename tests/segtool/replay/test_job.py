"""How a replay ends the command: each reason alone, and which goes first."""

import pytest

from runtime.errors import DataError, DeviceError, GateError, StorageError
from runtime.stream import CameraCounts, Outcome, StreamHealth
from segtool.replay.job import Finished, end_as_it_went
from segtool.replay.pace import Pace
from segtool.replay.player import Replay, ReplaySettings
from segtool.replay.writer import ResultWriter


def finished(ok=95, late=0, dropped=5, failed=0, stuck="", unreadable=0, signal_number=None, error=None) -> Finished:
    counts = CameraCounts(
        submitted=ok + late + dropped + failed,
        ok=ok,
        late=late,
        dropped=dropped,
        stale=0,
        invalid=0,
        failed=failed,
        pending=0,
        flagged={},
    )
    health = StreamHealth(
        stale=bool(stuck),
        reasons=(),
        stuck=stuck,
        cameras={"front": counts},
        quiet_ms={},
        undelivered=0,
        provider="cpu",
        sha256="ab",
        can_roll_back=False,
    )
    replay = Replay(
        settings=ReplaySettings(rate_hz=30.0),
        pace=Pace(30.0),
        shown=100,
        unreadable=[DataError("7.png: cut")] * unreadable,
        signal_number=signal_number,
        health=health,
        counts={"front": counts},
    )
    replay.tally.reasons[Outcome.FAILED] = "planted failure"
    writer = ResultWriter([])
    writer.error = error
    return Finished(replay=replay, writer=writer, record={})


def test_end_as_it_went_well_returns():
    end_as_it_went(finished())
    end_as_it_went(finished(), max_misses=0.05)
    end_as_it_went(finished(failed=3))  # a few that failed are in the counts; the device went on


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"error": StorageError("planted disk")}, StorageError, "planted disk"),
        ({"stuck": "the device is lost, restart the process"}, DeviceError, "the device is lost"),
        ({"ok": 0, "failed": 9, "dropped": 0}, DeviceError, "none for 9 frames: planted failure"),
        ({"unreadable": 2}, DataError, r"2 of 100 frames could not be read: 7\.png: cut"),
    ],
)
def test_end_as_it_went_badly_raises_why(changes, error, told):
    with pytest.raises(error, match=told):
        end_as_it_went(finished(**changes))


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_end_as_it_went_interrupted_exits_as_a_signal_does(number, code):
    with pytest.raises(SystemExit, match=f"^{code}$"):
        end_as_it_went(finished(signal_number=number, unreadable=1))


def test_end_as_it_went_over_the_misses_allowed_is_a_gate():
    with pytest.raises(GateError, match=r"at most 4 %.*got 5 of 100 \(5\.00 %\)"):
        end_as_it_went(finished(), max_misses=0.04)
    with pytest.raises(GateError, match=r"got 1 of 100"):
        end_as_it_went(finished(ok=99, dropped=0, late=1), max_misses=0.0)  # late is a miss
