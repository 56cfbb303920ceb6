"""The package as a whole: what it imports, what it exports, and that each example in it runs."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import runtime
from runtime import errors

REPOSITORY = Path(__file__).parents[2]
MODULES = [  # setup.py builds the wheel and is not in it
    module.name for module in pkgutil.walk_packages(runtime.__path__, "runtime.") if module.name != "runtime.setup"
]
WITH_EXAMPLES = {"metrics": 2, "overlay": 2, "engine.providers": 1, "segmenter": 1, "selftest": 1, "stream.stream": 1}


def run_python(code: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_import_brings_numpy_onnxruntime_and_nothing_else() -> None:
    code = (
        "import sys; before = {*sys.stdlib_module_names, *(name.split('.')[0] for name in sys.modules)}\n"
        "import numpy, onnxruntime\n"
        "theirs = {name.split('.')[0] for name in sys.modules}\n"
        f"import {', '.join(MODULES)}\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} - before - theirs))\n"
        "print(sorted(theirs & {'torch', 'PIL', 'click', 'rich', 'onnx'}))\n"
    )
    done = run_python(code)
    assert (done.stdout.splitlines(), done.stderr) == (["['runtime']", "[]"], "")


@pytest.mark.parametrize("absent", ["numpy", "onnxruntime"])
def test_import_without_a_package_names_both_extras(absent: str) -> None:
    code = f"import sys; sys.modules[{absent!r}] = None\nimport runtime"
    done = run_python(code)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "MissingPackage" in last
    assert absent in last
    assert '"segtool-runtime[cpu]"' in last
    assert '"segtool-runtime[gpu]"' in last


def test_exports_are_listed_and_there() -> None:
    assert all(hasattr(runtime, name) for name in runtime.__all__)
    raised_elsewhere = {"CheckpointError", "StorageError", "DivergedError", "GateError"}  # by training and export
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert kinds - raised_elsewhere <= set(runtime.__all__)


def test_version_is_that_of_both_wheels() -> None:
    for file in (REPOSITORY / "pyproject.toml", REPOSITORY / "runtime" / "pyproject.toml"):
        assert tomllib.loads(file.read_text())["project"]["version"] == runtime.__version__


def test_imports_inside_the_package_are_relative() -> None:
    for path in Path(runtime.__file__).parent.rglob("*.py"):
        assert not re.findall(r"^\s*(?:from|import) runtime\b", path.read_text(), re.M), path


@pytest.fixture
def beside_a_model(tmp_path: Path, golden_model_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder holds model.onnx, and the package has its name in a vehicle."""
    (tmp_path / "model.onnx").write_bytes(golden_model_bytes)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "segtool_runtime", runtime)
    return tmp_path


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(beside_a_model: Path, name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
    examples = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    told = sum(bool(example.examples) for example in examples)
    assert told == WITH_EXAMPLES.get(name.removeprefix("runtime."), 0)


def test_examples_in_the_readme_run(beside_a_model: Path, frame: np.ndarray) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "runtime" / "README.md").read_text(), re.S)
    assert len(blocks) == 11
    for block in blocks:
        exec(compile(block, "runtime/README.md", "exec"), {"camera": [frame, frame]})  # noqa: S102  # our own README
