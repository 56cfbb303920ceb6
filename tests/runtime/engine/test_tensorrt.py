"""TensorRT's engines through to the session, with a stub in place of ONNX Runtime's provider: no TensorRT runs here.

The stub writes an engine into the folder that the provider's options name, where there is none, as the provider does.
"""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest

from runtime.engine import opening, providers, tensorrt
from runtime.engine.engine_cache import MANIFEST
from runtime.engine.providers import open_session
from runtime.engine.tensorrt import build_for_tensorrt, engine_options, engine_parts
from runtime.errors import ProviderUnavailable, UsageError
from runtime.model_file import load_model_file
from runtime.onnx_file import InitializerInfo, NodeInfo, OnnxStructure
from runtime.options import EngineOptions

WHERE = "model.onnx"
T4 = {"gpu": "NVIDIA T4", "compute_capability": "7.5", "driver": "580.65.06"}


class Provider:
    """What stands in place of `new_session` and the probe."""

    def __init__(self) -> None:
        self.built: list[Path] = []
        self.settings: dict[str, str] = {}
        self.refused: str | None = None
        self.probed = 0

    def new_session(self, _: bytes, options: object, name: str, _engine: EngineOptions, settings: dict) -> object:
        assert name == "TensorrtExecutionProvider"
        assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        if self.refused is not None:
            raise RuntimeError(self.refused)
        self.settings = settings
        engine_file = Path(settings["trt_engine_cache_path"], "graph_sm75.engine")
        if settings["trt_engine_cache_enable"] == "1" and not engine_file.exists():
            self.built.append(engine_file)
            engine_file.write_bytes(b"engine")
        return SimpleNamespace(get_providers=lambda: [name, "CPUExecutionProvider"])

    def prove(self, *_: object) -> None:
        self.probed += 1


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    stub = Provider()
    monkeypatch.setattr(opening, "available", lambda: ("TensorrtExecutionProvider", "CPUExecutionProvider"))
    for module in (opening, tensorrt):
        monkeypatch.setattr(module, "preload_libraries", lambda: None)
    monkeypatch.setattr(opening, "new_session", stub.new_session)
    monkeypatch.setattr(tensorrt, "prove", stub.prove)
    monkeypatch.setattr(tensorrt, "gpu_facts", lambda _: T4)
    versions = {"cuda": "13.0", "tensorrt": "10.13.2", "cudnn": "9.2.0"}
    monkeypatch.setattr(tensorrt, "library_versions", lambda names: {name: versions[name] for name in names})
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    return stub


@pytest.fixture
def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(engine_cache=tmp_path / "cache", device_id=1)


def test_open_session_serves_what_was_built_and_builds_nothing(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions
) -> None:
    folder = build_for_tensorrt(tiny_model_bytes, options, WHERE)
    assert len(provider.built) == 1
    session, name = open_session(tiny_model_bytes, "tensorrt", options, WHERE)
    assert (name, session.get_providers()[0]) == ("tensorrt", "TensorrtExecutionProvider")
    assert len(provider.built) == 1
    assert provider.settings == {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_fp16_enable": "0",
        "trt_int8_enable": "0",
    }
    assert provider.probed == 1  # at the build; while serving even a probe would be a build


def test_built_folder_tells_all_that_the_engine_depends_on(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions
) -> None:
    folder = build_for_tensorrt(tiny_model_bytes, options, WHERE)
    assert json.loads((folder / MANIFEST).read_text())["key"] == {
        "model": hashlib.sha256(tiny_model_bytes).hexdigest(),
        "trt_engine_cache_enable": "1",
        "trt_fp16_enable": "0",
        "trt_int8_enable": "0",
        "NVIDIA_TF32_OVERRIDE": "",
        "onnxruntime": onnxruntime.__version__,
        "cuda": "13.0",
        "tensorrt": "10.13.2",
        **T4,
    }


def test_open_session_after_a_new_driver_is_refused_with_the_command(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_for_tensorrt(tiny_model_bytes, options, WHERE)
    monkeypatch.setattr(tensorrt, "gpu_facts", lambda _: T4 | {"driver": "590.1"})
    told = r"one with driver '580.65.06' \(here '590.1'\); .*: segtool build model.onnx --provider tensorrt --cache "
    with pytest.raises(ProviderUnavailable, match=told):
        open_session(tiny_model_bytes, "tensorrt", options, WHERE)
    assert len(provider.built) == 1


def test_open_session_without_a_cache_says_how_to_get_one(tiny_model_bytes: bytes, provider: Provider) -> None:
    with pytest.raises(ProviderUnavailable, match=r"got None; build one: segtool build model.onnx --provider tensorrt"):
        open_session(tiny_model_bytes, "tensorrt", EngineOptions(), WHERE)
    assert provider.built == []


def test_open_session_auto_never_builds_an_engine(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "available", lambda: ("TensorrtExecutionProvider", "CPUExecutionProvider"))
    monkeypatch.setattr(providers, "driver_missing", lambda _: False)
    monkeypatch.setattr(providers, "open_on_cpu", lambda *_: "on the CPU")
    assert open_session(tiny_model_bytes, "auto", options, WHERE) == ("on the CPU", "cpu")
    assert provider.built == []


def test_open_session_allowed_the_cpu_tells_that_tensorrt_had_no_engine(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "open_on_cpu", lambda *_: "on the CPU")
    told: list[str] = []
    found = open_session(tiny_model_bytes, "tensorrt", options, WHERE, allow_cpu=True, on_cpu=told.append)
    assert found == ("on the CPU", "cpu")
    assert told[0].startswith("the whole model runs on the CPU: provider 'tensorrt': expected an engine")
    assert provider.built == []


def test_open_session_engine_that_does_not_open_is_proven_to_tell_why(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions
) -> None:
    build_for_tensorrt(tiny_model_bytes, options, WHERE)
    provider.refused = "TensorRT EP could not deserialize engine from cache: graph_sm75.engine"
    with pytest.raises(ProviderUnavailable, match="could not deserialize engine from cache"):
        open_session(tiny_model_bytes, "tensorrt", options, WHERE)
    assert provider.probed == 2


def test_build_of_a_model_that_tensorrt_does_not_take_leaves_nothing(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions
) -> None:
    provider.refused = "This session contains graph nodes that are assigned to the default CPU EP"
    with pytest.raises(ProviderUnavailable, match=r"expected it to take the whole model, .* default CPU EP"):
        build_for_tensorrt(tiny_model_bytes, options, WHERE)
    assert list(Path(options.engine_cache).iterdir()) == []


def test_build_without_a_cache_is_a_usage_error(tiny_model_bytes: bytes) -> None:
    with pytest.raises(UsageError, match="engine_cache: expected a folder for the engine, got None; give one"):
        build_for_tensorrt(tiny_model_bytes, EngineOptions(), WHERE)


@pytest.mark.parametrize("missing", ["cuda", "tensorrt"])
def test_parts_without_a_library_are_an_error_that_names_it(
    tiny_model_bytes: bytes, provider: Provider, options: EngineOptions, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    versions = {"cuda": "13.0", "tensorrt": "10.13.2"}
    monkeypatch.setattr(tensorrt, "library_versions", lambda _: {n: v for n, v in versions.items() if n != missing})
    with pytest.raises(ProviderUnavailable, match=f"the libraries of {missing} don't load here; check the driver"):
        open_session(tiny_model_bytes, "tensorrt", options, WHERE)
    assert provider.probed == 1  # which would have told it better


def test_engine_parts_change_with_the_environment_that_tensorrt_reads(
    tiny_model_bytes: bytes, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = engine_parts(tiny_model_bytes, WHERE, 0)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert engine_parts(tiny_model_bytes, WHERE, 0) == before | {"NVIDIA_TF32_OVERRIDE": "0"}


def structure(*nodes: NodeInfo, weights: tuple[InitializerInfo, ...] = ()) -> OnnxStructure:
    return OnnxStructure(10, {"": 18}, (), (), (), nodes, weights)


@pytest.mark.parametrize(
    ("structure", "half", "int8"),
    [
        (structure(NodeInfo("Relu", "", "r", inputs=("x",), outputs=("y",))), "0", "0"),
        (
            structure(
                NodeInfo("Conv", "", "c", inputs=("x", "w"), outputs=("y",)),
                weights=(InitializerInfo("w", 10, (1, 1, 1, 1), 2, external=False, finite=True),),
            ),
            "1",
            "0",
        ),
        (structure(NodeInfo("QuantizeLinear", "", "q", inputs=("x", "s", "z"), outputs=("y",))), "0", "1"),
    ],
    ids=["fp32", "fp16", "int8"],
)
def test_engine_options_give_leave_for_what_the_file_has(structure: OnnxStructure, half: str, int8: str) -> None:
    found = engine_options(structure)
    assert (found["trt_fp16_enable"], found["trt_int8_enable"]) == (half, int8)


@pytest.mark.gpu
def test_tensorrt_serves_from_a_cache_as_the_cpu_answers(tiny_model_path: Path, tmp_path: Path, frame) -> None:
    from runtime.segmenter import Segmenter

    options = EngineOptions(engine_cache=tmp_path / "cache")
    model = load_model_file(tiny_model_path)
    try:
        build_for_tensorrt(model.data, options, str(tiny_model_path))
    except ProviderUnavailable as reason:
        pytest.skip(f"TensorRT does not run here: {reason}")
    with Segmenter(tiny_model_path, "tensorrt", options=options) as fast, Segmenter(tiny_model_path, "cpu") as slow:
        assert (fast.segment(frame).labels == slow.segment(frame).labels).mean() > 0.999
