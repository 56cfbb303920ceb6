import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from runtime.engine import cudart
from runtime.engine.failures import is_lost


class StubLibrary:
    """CUDA's runtime library: notes each call and returns the code that a test wants of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.codes: dict[str, int] = {}
        self.capture_status = 0
        self.graph: int | None = 7

    def __getattr__(self, name: str) -> Any:
        def function(*arguments: object) -> int:
            self.calls.append((name, *arguments))
            if name == "cudaStreamCreateWithPriority":
                arguments[0]._obj.value = 0x5000
            if name == "cudaStreamIsCapturing":
                arguments[1]._obj.value = self.capture_status
            if name == "cudaStreamEndCapture":
                arguments[1]._obj.value = self.graph
            return self.codes.get(name, 0)

        return function

    def cudaGetErrorString(self, code: int) -> bytes:  # noqa: N802
        return f"text of {code}".encode()

    def names(self) -> list[object]:
        return [call[0] for call in self.calls]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> StubLibrary:
    stub = StubLibrary()
    monkeypatch.setattr(cudart, "_library", lambda: stub)
    return stub


@pytest.fixture
def no_cache() -> Any:
    cudart._library.cache_clear()
    yield
    cudart._library.cache_clear()


def test_stream_is_made_on_its_device_with_its_priority_and_given_back(library: StubLibrary) -> None:
    stream = cudart.Stream(3, -4)
    assert stream.address == 0x5000
    assert library.calls[0] == ("cudaSetDevice", 3)
    assert library.calls[1][2:] == (1, -4)  # cudaStreamNonBlocking
    del stream
    assert library.calls[-1] == ("cudaStreamDestroy", 0x5000)


def test_copies_name_both_ends_the_bytes_and_the_stream(library: StubLibrary) -> None:
    stream, host = cudart.Stream(0, 0), np.zeros((2, 3), np.uint8)
    stream.to_device(900, host)
    stream.to_host(host, 900)
    stream.synchronise()
    assert library.calls[2:] == [
        ("cudaMemcpyAsync", 900, host.ctypes.data, 6, 1, 0x5000),  # cudaMemcpyHostToDevice
        ("cudaMemcpyAsync", host.ctypes.data, 900, 6, 2, 0x5000),  # cudaMemcpyDeviceToHost
        ("cudaStreamSynchronize", 0x5000),
    ]


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("cudaSetDevice", lambda _: cudart.set_device(9)),
        ("cudaStreamCreateWithPriority", lambda _: cudart.Stream(0, 0)),
        ("cudaMemcpyAsync", lambda stream: stream.to_device(9, np.zeros(1, np.uint8))),
        ("cudaMemcpyAsync", lambda stream: stream.to_host(np.zeros(1, np.uint8), 9)),
        ("cudaStreamSynchronize", lambda stream: stream.synchronise()),
        ("cudaStreamIsCapturing", lambda stream: stream.end_capture()),
        ("cudaHostAlloc", lambda _: cudart.pinned((4,))),
    ],
)
def test_every_call_that_fails_raises_in_onnx_runtimes_words(library: StubLibrary, name: str, act: Any) -> None:
    stream = cudart.Stream(0, 0)
    library.codes[name] = 719
    with pytest.raises(RuntimeError, match=f"^CUDA failure 719: text of 719 ; expr={name}$") as caught:
        act(stream)
    assert is_lost(caught.value)
    assert library.names()[-1] == "cudaGetLastError"  # or ONNX Runtime would find it and take it for its own
    del caught  # whose frames keep the stream, to be given back in the middle of another test


def test_stream_that_cannot_be_given_back_is_let_go(library: StubLibrary) -> None:
    stream = cudart.Stream(0, 0)
    library.codes["cudaStreamDestroy"] = 719
    del stream
    assert library.names()[-2:] == ["cudaStreamDestroy", "cudaGetLastError"]


def test_end_capture_without_one_does_nothing(library: StubLibrary) -> None:
    stream = cudart.Stream(0, 0)
    stream.end_capture()
    assert library.names()[2:] == ["cudaStreamIsCapturing"]


@pytest.mark.parametrize(("graph", "last"), [(None, "cudaGetLastError"), (7, "cudaGraphDestroy")])
def test_end_capture_of_an_invalid_one_throws_it_away(library: StubLibrary, graph: int | None, last: str) -> None:
    stream = cudart.Stream(0, 0)
    library.capture_status, library.graph = 2, graph  # cudaStreamCaptureStatusInvalidated
    library.codes["cudaStreamEndCapture"] = 901
    stream.end_capture()
    assert "cudaStreamEndCapture" in library.names()
    assert library.names()[-1] == last


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize(
    ("platform", "built_for", "there", "tried"),
    [
        ("linux", "13.0", {"libcudart.so.13"}, ["libcudart.so.13"]),
        ("linux", "12.8", {"libcudart.so.12", "libcudart.so.13"}, ["libcudart.so.12"]),
        ("linux", None, {"libcudart.so.13"}, ["libcudart.so.12", "libcudart.so.13"]),
        ("win32", "13.0", {"cudart64_13.dll"}, ["cudart64_13.dll"]),
    ],
)
def test_library_is_the_one_that_onnx_runtime_was_built_for(monkeypatch, platform, built_for, there, tried) -> None:
    asked = []

    def load(name: str) -> SimpleNamespace:
        asked.append(name)
        if name not in there:
            raise OSError(f"{name}: cannot open shared object file")
        functions = [*cudart._ARGUMENTS, "cudaGetErrorString"]
        return SimpleNamespace(**{function: SimpleNamespace() for function in functions})

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(onnxruntime, "cuda_version", built_for, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", load)
    assert cudart._library().cudaMemcpyAsync.argtypes[2] is ctypes.c_size_t
    assert asked == tried


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize(
    ("platform", "told"),
    [("linux", r"libcudart\.so\.13 on linux, got none \(libcu.*\)"), ("darwin", "on darwin, got none;")],
)
def test_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, platform: str, told: str) -> None:
    def load(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(onnxruntime, "cuda_version", "13.0", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", load)
    with pytest.raises(RuntimeError, match=rf"{told}.*install CUDA \(pip install"):
        cudart.set_device(0)
