"""docs/embedding/segment.mjs: onnxruntime-node, from the npm registry, in a folder of its own."""

import json
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# as Node.js names them, by what Python calls them
SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory, embedding: Path) -> Iterator[Path]:
    """A folder with onnxruntime-node installed and the example beside it, where Node.js looks for packages."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    # its install script fetches GPU libraries from elsewhere; the CPU's are in the package
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "onnxruntime-node"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    if done.returncode != 0:
        pytest.skip(f"npm can't install onnxruntime-node: {(done.stderr.strip().splitlines() or ['no word'])[0]}")
    package = folder / "node_modules" / "onnxruntime-node"
    place = f"{SYSTEMS[platform.system()]}/{MACHINES[platform.machine()]}"
    if not list(package.glob(f"bin/napi-v*/{place}/onnxruntime_binding.node")):
        pytest.skip(f"onnxruntime-node {version_of(folder)} carries no binding for {place}")
    shutil.copy(embedding / "segment.mjs", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # 300 MB that pytest would keep


def version_of(node_folder: Path) -> str:
    return json.loads((node_folder / "node_modules" / "onnxruntime-node" / "package.json").read_text())["version"]


def test_script_gives_labels_and_confidence(handmade, node_folder: Path) -> None:
    labels, confidence = handmade.answers_by("node", node_folder / "segment.mjs")
    assert handmade.agreement(labels) == 1.0
    assert confidence.tobytes() == handmade.confidence.tobytes()


def test_script_gives_the_labels_of_the_segmenter(case, node_folder: Path, record_testsuite_property) -> None:
    agreement = case.agreement(case.labels_by("node", node_folder / "segment.mjs"))
    record_testsuite_property(f"{case.model.stem}: agreement of onnxruntime-node {version_of(node_folder)}", agreement)
    assert agreement >= 0.9999


def test_script_gives_the_bytes_of_stock_python_at_the_same_version(
    case, node_folder: Path, embedding: Path, environment: Callable[..., Path]
) -> None:
    python = environment(f"onnxruntime=={version_of(node_folder)}")
    by_python = case.labels_by(python, embedding / "segment.py")
    assert (by_python == case.labels_by("node", node_folder / "segment.mjs")).all()


def test_script_stays_short(embedding: Path) -> None:
    lines = (embedding / "segment.mjs").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 20
