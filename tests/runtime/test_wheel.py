"""The vehicle's wheel: built from a copy outside the tree, installed into an empty environment, run without torch."""

import ast
import inspect
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import runtime

SOURCE = Path(runtime.__file__).parent

USE = """
import sys
import numpy as np
import segtool_runtime
from segtool_runtime import Segmenter

frame = np.fromfile("frame.bin", np.uint8).reshape(24, 32, 3)
with Segmenter("model.onnx", provider="cpu") as segmenter:
    segmenter.segment(frame).labels.tofile("labels.bin")
for name in ("torch", "PIL", "click", "rich", "onnx", "runtime", "trainer"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(name + " can be imported")
print(segtool_runtime.__version__)
"""


def pip(python: Path | str, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # from a copy: a build in place leaves runtime/build behind, which the next wheel would ship
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(folder / "source"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def vehicle(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """An environment with the wheel and numpy only; returns its Python."""
    folder = tmp_path_factory.mktemp("vehicle")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip(python, "install", str(wheel))
    return python


def run(python: Path, code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(python), "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60)


def modules_of_the_source() -> list[str]:
    return [path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if path.name != "setup.py"]


@pytest.mark.timeout(280)
def test_wheel_is_under_100_kb(wheel: Path) -> None:
    assert wheel.stat().st_size < 100_000


@pytest.mark.timeout(280)
def test_wheel_has_the_statements_of_the_source_on_their_lines(wheel: Path) -> None:
    """The wheel goes without comments and inner docstrings (runtime/setup.py); nothing else may differ."""
    with zipfile.ZipFile(wheel) as archive:
        for file in modules_of_the_source():
            built = archive.read(f"segtool_runtime/{file}").decode()
            assert statements(built) == statements((SOURCE / file).read_text(encoding="utf-8")), file


def test_statements_see_a_moved_line_and_a_changed_one() -> None:
    source = 'def f():\n    """Told."""\n    return 1  # so\n'
    assert statements('def f():\n    ""\n    return 1\n') == statements(source)
    assert statements('def f():\n    ""\n\n    return 1\n') != statements(source)
    assert statements('def f():\n    ""\n    return 2\n') != statements(source)


@pytest.mark.timeout(280)
def test_wheel_keeps_the_docstrings_of_what_it_exports(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        built = archive.read("segtool_runtime/segmenter.py").decode()
    (segmenter,) = (node for node in ast.parse(built).body if isinstance(node, ast.ClassDef))
    assert ast.get_docstring(segmenter) == inspect.getdoc(runtime.Segmenter)
    methods = {node.name: node for node in segmenter.body if isinstance(node, ast.FunctionDef)}
    assert ast.get_docstring(methods["segment"]) == inspect.getdoc(runtime.Segmenter.segment)
    assert not ast.get_docstring(ast.parse(built))


def statements(source: str) -> list[str]:
    """Every node but docstrings, each with its line."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return [f"{getattr(node, 'lineno', 0)} {ast.dump(node)}" for node in ast.walk(tree)]


@pytest.mark.timeout(280)
def test_wheel_holds_the_modules_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {f"segtool_runtime/{file}" for file in (*modules_of_the_source(), "py.typed")}
    assert {name for name in names if ".dist-info/" not in name} == modules
    metadata = next(name for name in names if name.endswith("METADATA"))
    lines = zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
    requires = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist")]
    assert [line for line in requires if "extra ==" not in line] == ["numpy>=1.23"]
    assert sorted(line.split(">=")[0] for line in requires if "extra ==" in line) == ["onnxruntime", "onnxruntime-gpu"]
    assert f"Version: {runtime.__version__}" in lines


@pytest.mark.timeout(280)
def test_wheel_without_onnxruntime_names_both_extras_and_with_it_runs_a_model(
    vehicle: Path, wheel: Path, tiny_model_path: Path, frame, reference_labels
) -> None:
    folder = tiny_model_path.parent
    bare = run(vehicle, "import segtool_runtime", folder)
    assert bare.returncode == 1
    assert "No module named 'onnxruntime'" in bare.stderr
    assert 'pip install "segtool-runtime[cpu]"' in bare.stderr
    assert '"segtool-runtime[gpu]"' in bare.stderr
    pip(vehicle, "install", f"{wheel}[cpu]")
    frame.tofile(folder / "frame.bin")
    done = run(vehicle, USE, folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{runtime.__version__}\n", "")
    assert (folder / "labels.bin").read_bytes() == reference_labels(frame).tobytes()
