"""Scripts of a line or two, in processes of their own."""

import time
from pathlib import Path

import pytest

from benchmarks.scenarios.child import run_child
from runtime.errors import DeviceError


@pytest.fixture
def script(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def test_child_gets_its_question_and_its_line_comes_back_between_two_clocks(script) -> None:
    text = "import json, sys, time\nprint(json.dumps({'got': json.loads(sys.argv[1]), 'ns': time.monotonic_ns()}))"
    before_ns = time.monotonic_ns()
    report = run_child(script(text), {"path": Path("a b"), "threads": None})
    assert report.said["got"] == {"path": "a b", "threads": None}
    assert before_ns < report.spawned_ns < report.said["ns"] < report.received_ns < time.monotonic_ns()


def test_child_time_after_its_line_is_not_counted(script) -> None:
    report = run_child(script("import time\nprint('{}', flush=True)\ntime.sleep(0.5)"), {})
    assert report.received_ns - report.spawned_ns < 4e8


def test_child_finds_the_packages_and_nothing_of_its_own_folder(script, tmp_path: Path) -> None:
    (tmp_path / "runtime.py").write_text("raise RuntimeError('shadowed')")
    text = "import json, runtime.errors\nprint(json.dumps({'file': runtime.errors.__file__}))"
    assert Path(run_child(script(text), {}).said["file"]).is_file()


def test_child_that_fails_is_told_by_its_last_words(script) -> None:
    with pytest.raises(DeviceError, match=r"script\.py: .*code 1: ValueError: no such device"):
        run_child(script("raise ValueError('no such device')"), {})


def test_child_that_says_nothing_is_refused(script) -> None:
    with pytest.raises(DeviceError, match="code 0: no word"):
        run_child(script(""), {})


def test_child_that_hangs_is_ended(script) -> None:
    with pytest.raises(DeviceError, match=r"within 0\.2 s, .*code -9"):
        run_child(script("import time\ntime.sleep(60)"), {}, longest_s=0.2)
