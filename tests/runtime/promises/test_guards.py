"""R26: every guard is connected. Each is switched off in a copy of the package, and a test of it must then fail.

guards.txt beside this file is the list of what the runtime refuses and keeps. A line of it that is no longer in the
source fails its test here: who moves a guard moves its line.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Guard:
    """A guard.

    Attributes:
        what: what it keeps out or together.
        file: where it stands, under runtime/.
        text: the source, exactly, which stands there once.
        off: what is put in its place.
        tests: of tests/runtime, at least one of which must fail then: a file, or a file and what pytest's -k takes.
        fast: tried in every run, not in the slow ones alone.
    """

    what: str
    file: str
    text: str
    off: str
    tests: str
    fast: bool = False


def read_guards(text: str) -> list[Guard]:
    """The guards of a table as guards.txt describes it."""
    guards = []
    for block in re.split(r"\n\n+", text):
        name, *lines = block.strip().splitlines()
        if name.startswith("#") or not lines or name.count(" | ") != 2:
            continue
        what, file, tests = name.split(" | ")
        old, new = ("\n".join(line[2:] for line in lines if line[0] == sign) for sign in "-+")
        guards.append(Guard(what.removeprefix("* "), file, old, new, tests, what.startswith("* ")))
    return guards


GUARDS = read_guards(Path(__file__).with_name("guards.txt").read_text())


def test_table_covers_what_it_is_to_cover() -> None:
    assert len(GUARDS) >= 50
    assert len({guard.what for guard in GUARDS}) == len(GUARDS)
    assert all(guard.text and guard.text != guard.off for guard in GUARDS)
    assert sum(guard.fast for guard in GUARDS) == 5


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its tests."""
    folder = tmp_path_factory.mktemp("house")
    leave = shutil.ignore_patterns("__pycache__", "test_guards.py")
    for part in ("runtime", "tests/runtime"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=leave)
    for part in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / part, folder / part)
    return folder


@pytest.fixture
def without(house: Path, guard: Guard) -> Iterator[Path]:
    """The copy with this guard off."""
    path = house / "runtime" / guard.file
    source = path.read_text()
    assert source.count(guard.text) == 1, f"{guard.file}: expected once, got {source.count(guard.text)}: {guard.text}"
    path.write_text(source.replace(guard.text, guard.off))
    compile(path.read_text(), str(path), "exec")
    yield house
    path.write_text(source)


def verdict(house: Path, tests: str) -> tuple[int, str]:
    """pytest's exit code and last words on these tests of the copy."""
    file, _, names = tests.partition(" ")
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow"]
    command += [f"tests/runtime/{file}", *(["-k", names] if names else [])]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=250)
    return done.returncode, done.stdout[-2000:] + done.stderr[-500:]


@pytest.mark.parametrize(
    "guard",
    [pytest.param(guard, id=guard.what, marks=[] if guard.fast else [pytest.mark.slow]) for guard in GUARDS],
)
def test_guard_switched_off_fails_a_test(without: Path, guard: Guard) -> None:
    code, words = verdict(without, guard.tests)
    assert code == 1, words  # 1: tests were run and failed; 2 and more: they could not be
    assert re.search(r"\b[1-9]\d* failed", words), words


@pytest.mark.slow
@pytest.mark.parametrize("tests", sorted({guard.tests for guard in GUARDS}))
def test_guards_left_on_fail_none(house: Path, tests: str) -> None:
    code, words = verdict(house, tests)
    assert code == 0, words
