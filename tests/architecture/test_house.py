"""The rules of the house that a machine can see, each shown to catch a planted violation."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("segtool", "benchmarks", "export", "trainer", "runtime")
LONGEST_FILE_LINES = 250
PROOF_CONTRACT = "what proves a file on the target computer knows neither torch nor onnx"
FORBIDDEN_NAMES = {"utils.py", "common.py", "helpers.py", "misc.py", "manager.py"}


def sources(root: Path = ROOT) -> list[Path]:
    return [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(root), "PATH": ""},
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "results"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_layers_as_they_are_hold(house: Path) -> None:
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("runtime/metrics.py", "import torch", "runtime needs numpy and onnxruntime, nothing else"),
        ("runtime/metrics.py", "import trainer.settings.config", "A floor imports only floors below it"),
        ("trainer/data/images.py", "import torch", "trainer.data reads data sets with numpy and Pillow alone"),
        ("trainer/learning/losses.py", "import export.graph", "A floor imports only floors below it"),
        ("benchmarks/latency.py", "import segtool.console", "A floor imports only floors below it"),
        ("export/proof/pixels.py", "import trainer.evaluate", PROOF_CONTRACT),
    ],
)
def test_layers_planted_import_is_caught(house: Path, file: str, line: str, contract: str) -> None:
    with (house / file).open("a") as stream:
        stream.write(f"\n{line}\n")
    done = lint_imports(house)
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout


def test_runtime_imports_itself_only_relatively() -> None:
    absolute = re.compile(r"^\s*(from|import) runtime\b", re.MULTILINE)
    assert absolute.search("from runtime.errors import DataError\n")
    assert [file for file in sources() if "runtime" in file.parts and absolute.search(file.read_text())] == []


def test_files_stay_short_and_have_names_that_say_something() -> None:
    lengths = {file: len(file.read_text().splitlines()) for file in sources()}
    assert len(lengths) > 40
    assert {str(file): length for file, length in lengths.items() if length > LONGEST_FILE_LINES} == {}
    assert [file for file in lengths if file.name in FORBIDDEN_NAMES] == []
