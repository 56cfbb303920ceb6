"""docs/embedding/segment.cpp: ONNX Runtime's public C++ API, linked to the library inside the installed wheel."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HEADER = "onnxruntime_cxx_api.h"
USUAL_FOLDERS = ("/usr/include/onnxruntime", "/usr/local/include/onnxruntime", "/usr/include", "/usr/local/include")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory, embedding: Path) -> Path:
    """The example, compiled without a warning."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    named = os.environ.get("ONNXRUNTIME_INCLUDE")
    folders = [named] if named else USUAL_FOLDERS
    include = next((folder for folder in folders if (Path(folder) / HEADER).exists()), None)
    if include is None:
        pytest.skip(f"{HEADER} is in none of {', '.join(folders)}; ONNXRUNTIME_INCLUDE may name its folder")
    libraries = list((Path(find_spec("onnxruntime").origin).parent / "capi").glob("libonnxruntime.so.*"))
    if not libraries:
        pytest.skip("the onnxruntime wheel has no libonnxruntime.so here; the example is compiled on Linux only")
    folder = tmp_path_factory.mktemp("cpp")
    library = folder / "libonnxruntime.so.1"  # the name it is linked under and looked for at run time
    library.symlink_to(libraries[0])
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-Wl,-rpath,{folder}"]
    command = ["g++", *flags, "-isystem", include, embedding / "segment.cpp", "-o", folder / "segment", library]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "segment"


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(part) for part in (program, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_program_gives_labels_and_confidence(handmade, program: Path) -> None:
    labels, confidence = handmade.answers_by(program)
    assert handmade.agreement(labels) == 1.0
    assert confidence.tobytes() == handmade.confidence.tobytes()


def test_program_gives_the_bytes_of_the_segmenter(case, program: Path) -> None:
    assert case.agreement(case.labels_by(program)) == 1.0


def test_program_prints_the_mean_time_of_a_frame(handmade, program: Path, tmp_path: Path) -> None:
    done = run(program, handmade.model, handmade.frames, tmp_path / "labels")
    assert done.stdout.startswith("4 frames, mean ")
    assert done.stdout.endswith(" ms\n")


@pytest.mark.parametrize(
    ("model", "frames", "message"),
    [
        ("nowhere.onnx", "frames", "nowhere.onnx failed"),
        ("model", "nowhere.rgb", "nowhere.rgb: can't be opened for reading"),
        ("model", "model", "expected frames of 105 bytes each, got "),
    ],
)
def test_program_bad_input_is_told_with_exit_code_1(
    handmade, program: Path, tmp_path: Path, model: str, frames: str, message: str
) -> None:
    files = {"model": handmade.model, "frames": handmade.frames}
    done = run(program, files.get(model, model), files.get(frames, frames), tmp_path / "labels")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("segment: ")
    assert message in done.stderr
    assert not (tmp_path / "labels").exists()


def test_program_too_few_arguments_is_exit_code_2(program: Path) -> None:
    done = run(program, "model.onnx")
    assert (done.returncode, done.stderr) == (2, "usage: segment MODEL.onnx FRAMES LABELS [CONFIDENCE]\n")
