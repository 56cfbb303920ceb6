"""Busy processes: that they work, and that they end with whoever started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.scenarios.load import Load, busy, parse_load
from runtime.errors import DeviceError, MissingPackage, ProviderUnavailable, UsageError

ROOT = Path(__file__).parents[3]
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")

# a parent that is interrupted or killed while its load runs: it tells its children's ids, then waits
PARENT = """
import subprocess, time
from benchmarks.scenarios import load
plain, children = subprocess.Popen, []
def popen(*args, **named):
    children.append(plain(*args, **named))
    return children[-1]
load.subprocess.Popen = popen
with load.busy(load.Load(cpu=2)):
    print(*(child.pid for child in children), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def children(monkeypatch):
    """The processes that `busy` starts."""
    started, plain = [], subprocess.Popen

    def popen(*args, **named):
        started.append(plain(*args, **named))
        return started[-1]

    monkeypatch.setattr("benchmarks.scenarios.load.subprocess.Popen", popen)
    return started


def runs(pid):
    """Whether it is there, and not merely unmourned."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("cpu=2", Load(cpu=2)),
        ("gpu=0.5", Load(gpu=0.5)),
        ("cpu=1,gpu=1", Load(cpu=1, gpu=1.0)),
        ("gpu=0.25,cpu=3", Load(cpu=3, gpu=0.25)),
        ("cpu=0", Load()),
    ],
)
def test_parse_load_reads_what_is_given(text, load):
    assert parse_load(text) == load


@pytest.mark.parametrize(
    "text", ["", "2", "cpu", "cpu=", "cpu=a", "cpu=1.5", "cpu=-1", "cpu=1,cpu=2", "disk=1", "cpu=1;gpu=1", "gpu=nan"]
)
def test_parse_load_of_anything_else_is_refused(text):
    with pytest.raises(UsageError, match=f"got '{text}'"):
        parse_load(text)


@pytest.mark.parametrize(("text", "shown"), [("cpu=257", "cpu=257,gpu=0"), ("gpu=1.5", "cpu=0,gpu=1.5")])
def test_parse_load_out_of_range_is_refused(text, shown):
    with pytest.raises(UsageError, match=shown):
        parse_load(text)


@LINUX
def test_busy_keeps_its_processes_at_work_and_ends_them(children):
    with busy(Load(cpu=1)):
        (child,) = children
        stat = Path(f"/proc/{child.pid}/stat")

        def ticks():
            return sum(int(field) for field in stat.read_text().rpartition(")")[2].split()[11:13])

        before = ticks()
        time.sleep(0.6)
        assert ticks() - before >= 0.1 * os.sysconf("SC_CLK_TCK")  # a sixth of the time, on a machine that is busy
    assert child.poll() is not None


def test_busy_without_a_load_starts_nothing(children):
    with busy(Load()):
        pass
    assert children == []


def test_busy_ends_its_processes_where_the_measurement_fails(children):
    with pytest.raises(KeyboardInterrupt), busy(Load(cpu=1)):
        raise KeyboardInterrupt
    assert children[0].poll() is not None


def test_busy_whose_process_died_refuses_the_measurement(children):
    def die():
        children[0].kill()
        return children[0].wait()

    with pytest.raises(DeviceError, match=r"load cpu: .*ended before with code -9"), busy(Load(cpu=1)):
        die()


@LINUX
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_busy_leaves_nothing_behind_where_the_parent_is_ended(ending):
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(runs(pid) for pid in pids)
        parent.send_signal(ending)
    until(lambda: not any(runs(pid) for pid in pids))


def test_busy_gpu_without_torch_names_it(monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MissingPackage, match=r"load gpu=0\.5 needs .*torch.*segtool\[train\]"), busy(Load(gpu=0.5)):
        pass


def test_busy_gpu_without_a_device_says_so(monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("__version__ = '2.99'\nclass cuda:\n    is_available = staticmethod(lambda: 0)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ProviderUnavailable, match=r"load gpu=0\.5: .*torch 2\.99 sees none"), busy(Load(gpu=0.5)):
        pass


def test_busy_gpu_that_fails_otherwise_says_so(monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.99 is absent')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"load gpu=1: .*said ''"), busy(Load(gpu=1.0)):
        pass
