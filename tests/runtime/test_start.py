"""What a Segmenter is ordered with, and the times of its steps; the start itself is tested as a Segmenter's."""

from pathlib import Path

import pytest

from runtime import start
from runtime.errors import UsageError
from runtime.events import Event
from runtime.segmenter import Segmenter


@pytest.mark.parametrize(
    ("name", "value"), [("options", {"threads": 1}), ("allow_cpu", None), ("allow_cpu", 1), ("self_test", "no")]
)
def test_segmenter_argument_of_another_kind_is_refused(tiny_model_path: Path, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected .*, got (dict|{value!r})"):
        Segmenter(tiny_model_path, "cpu", **{name: value})


def test_segmenter_tells_what_each_step_of_its_start_took(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 0
    monkeypatch.setattr(start, "CLOCK_NS", lambda: now_ns)

    def lengthen(name: str, ms: int) -> None:
        real = getattr(start, name)

        def longer(*arguments: object, **named: object) -> object:
            nonlocal now_ns
            now_ns += ms * 1_000_000
            return real(*arguments, **named)

        monkeypatch.setattr(start, name, longer)

    lengthen("load_model_file", 1)
    lengthen("open_session", 20)
    lengthen("open_engine", 300)
    lengthen("_warm_up", 4_000)
    lengthen("_test_itself", 50_000)
    lengthen("placement_of", 600_000)
    events: list[Event] = []
    Segmenter(tiny_model_path, "cpu", on_event=events.append).close()
    (ready,) = [event for event in events if event.code == "segmenter.ready"]
    expected = {"file": 1.0, "session": 320.0, "warm-up": 4_000.0, "self-test": 50_000.0, "placement": 600_000.0}
    assert ready.facts["steps_ms"] == expected
    assert ready.facts["provider"] == "cpu"
