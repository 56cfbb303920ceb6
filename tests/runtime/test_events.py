import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DeviceError, DeviceLostError, ProviderUnavailable
from runtime.events import EVENTS, Event, tell
from runtime.segmenter import Segmenter


def test_tell_logs_at_the_codes_level_and_calls_back(caplog: pytest.LogCaptureFixture) -> None:
    got: list[Event] = []
    with caplog.at_level(logging.INFO):
        tell(got.append, "segmenter.closed", "it is closed", {"frames": 3})
    assert got == [Event(code="segmenter.closed", text="it is closed", facts={"frames": 3})]
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "segmenter.closed: it is closed")
    ]


def test_tell_of_a_callback_that_raises_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Event) -> None:
        raise KeyError("planted")

    tell(broken, "engine.error", "text")
    assert "engine.error: the event callback failed" in caplog.text
    assert "KeyError: 'planted'" in caplog.text


def test_tell_of_a_callback_that_exits_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    tell(lambda _: sys.exit("planted"), "engine.error", "text")
    assert "SystemExit: planted" in caplog.text


def test_tell_of_an_unknown_code_is_a_key_error() -> None:
    with pytest.raises(KeyError, match=r"no\.such"):
        tell(None, "no.such", "text")


def test_codes_are_lower_case_words_of_their_part() -> None:
    assert all(code.split(".")[0] in ("segmenter", "engine", "stream") for code in EVENTS)


def test_segmenter_tells_its_life(tiny_model_path: Path, open_door: Callable[..., Segmenter]) -> None:
    got: list[Event] = []
    segmenter = Segmenter(tiny_model_path, "cpu", on_event=got.append)
    segmenter.close()
    segmenter.close()
    assert [event.code for event in got] == ["segmenter.selftest_skipped", "segmenter.ready", "segmenter.closed"]
    facts = dict(got[1].facts)
    assert sum(facts.pop("steps_ms").values()) > 0
    assert facts == segmenter.placement().to_dict()


def test_segmenter_that_does_not_start_tells_why(tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Event] = []
    monkeypatch.setattr("runtime.engine.providers.available", lambda: ("CPUExecutionProvider",))
    with pytest.raises(ProviderUnavailable, match="provider 'cuda'"):
        Segmenter(tiny_model_path, "cuda", on_event=got.append)
    assert [event.code for event in got] == ["segmenter.failed"]
    assert "provider 'cuda'" in got[0].text


def test_segmenter_that_loses_its_device_at_the_start_tells_both(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> None:
        raise DeviceLostError("planted 719")

    got: list[Event] = []
    monkeypatch.setattr("runtime.segmenter.start", lose)
    with pytest.raises(DeviceLostError, match="planted 719"):
        Segmenter(tiny_model_path, "cpu", on_event=got.append)
    assert [event.code for event in got] == ["engine.lost", "segmenter.failed"]


def test_segmenter_tells_a_failed_run_after_it_and_may_be_closed_then(
    tiny_model_path: Path, frame: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, object]] = []

    def listen(event: Event) -> None:
        if event.code == "engine.error":
            closing = threading.Thread(target=segmenter.close, daemon=True)
            closing.start()
            closing.join(2)
            seen.append((segmenter.health().state.value, segmenter.health().running_ms))

    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    segmenter = Segmenter(tiny_model_path, "cpu", on_event=listen)
    monkeypatch.setattr(segmenter._engine, "run", fail)
    with pytest.raises(DeviceError, match="planted"):
        segmenter.segment(frame)
    assert seen == [("closed", None)]
