import sys
from pathlib import Path

import onnxruntime
import pytest

from runtime.engine import libraries

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the names are Linux's")


@linux_only
def test_load_failure_names_the_library_that_is_not_there() -> None:
    assert libraries._load_failure("libsegtool_absent.so.7") == "libsegtool_absent.so.7"
    assert libraries._load_failure("libc.so.6") == ""
    assert libraries._load_failure("") == ""


@linux_only
def test_missing_libraries_of_a_damaged_provider_names_its_file(tmp_path: Path, monkeypatch) -> None:
    library = tmp_path / "capi" / "libonnxruntime_providers_openvino.so"
    library.parent.mkdir()
    library.write_bytes(b"no library")
    monkeypatch.setattr(onnxruntime, "__file__", str(tmp_path / "__init__.py"))
    assert libraries.missing_libraries("openvino") == (str(library),)


@linux_only
def test_missing_libraries_tells_of_the_driver_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(onnxruntime, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setitem(libraries._DRIVER, "linux", "libsegtool_absent.so.1")
    assert libraries.missing_libraries("cuda") == ("libsegtool_absent.so.1",)
    assert libraries.missing_libraries("openvino") == ()
    assert libraries.driver_missing("tensorrt")
    assert not libraries.driver_missing("cpu")


def test_missing_libraries_on_an_unknown_platform_is_silent(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    assert libraries.missing_libraries("cuda") == ()


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (("libcurand.so.10",), ['pip install "onnxruntime-gpu[cuda,cudnn]"']),
        (("libcuda.so.1",), ["install the NVIDIA driver"]),
        (("libcudnn.so.9", "libcuda.so.1"), ['pip install "onnxruntime-gpu[cuda,cudnn]"', "install the NVIDIA driver"]),
        (("libnvinfer.so.10",), ["install TensorRT"]),
    ],
)
def test_remedy_names_what_to_install(names: tuple[str, ...], steps: list[str]) -> None:
    found = libraries.remedy("cuda", names)
    assert [step in found for step in steps] == [True] * len(steps)


def test_remedy_of_the_same_step_twice_names_it_once() -> None:
    assert libraries.remedy("cuda", ("libcublas.so.13", "libcufft.so.12")).count("pip install") == 1
