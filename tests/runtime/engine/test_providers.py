import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest

from runtime.engine import failures, opening, providers, session
from runtime.engine.cuda_options import cuda_options
from runtime.engine.libraries import driver_missing
from runtime.engine.probe import probe_model
from runtime.engine.providers import PROVIDERS, open_session, precision_notes, usable_providers
from runtime.errors import DeviceLostError, ModelFileError, ProviderUnavailable, UsageError
from runtime.options import EngineOptions

REPOSITORY = Path(__file__).parents[3]
no_cuda = pytest.mark.skipif(not driver_missing("cuda"), reason="shows what happens where CUDA does not run")
gpu_wheel = pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs the onnxruntime-gpu package"
)
Fail = onnxruntime.capi.onnxruntime_pybind11_state.Fail


class FakeSession:
    """A session that says it runs on `provider` and computes on the CPU."""

    def __init__(self, data: bytes, provider: str) -> None:
        self._session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        self._provider = provider

    def get_providers(self) -> list[str]:
        return [self._provider, "CPUExecutionProvider"]

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)


def is_strict(options: onnxruntime.SessionOptions) -> bool:
    try:
        return options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
    except RuntimeError:  # nobody set it
        return False


@pytest.fixture
def cuda_stands_ready(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """ONNX Runtime lists CUDA, every library and the driver are there; a test then says what opening it does."""
    for module in (providers, opening):
        monkeypatch.setattr(module, "available", lambda: ("CUDAExecutionProvider", "CPUExecutionProvider"))
    monkeypatch.setattr(providers, "driver_missing", lambda _: False)
    monkeypatch.setattr(opening, "missing_libraries", lambda _: ())
    monkeypatch.setattr(opening, "preload_libraries", lambda: None)
    monkeypatch.setattr(session, "Stream", lambda *_: SimpleNamespace(address=4096))
    return monkeypatch


@pytest.mark.parametrize("name", ["gpu", "CUDA", "CPUExecutionProvider", "", None, 3, ["cpu"]])
def test_open_session_unknown_provider_lists_the_choices(tiny_model_bytes: bytes, name: object) -> None:
    with pytest.raises(UsageError, match=r"provider: expected one of auto, cuda, tensorrt, .*, cpu, got ") as caught:
        open_session(tiny_model_bytes, name, EngineOptions())
    assert repr(name) in str(caught.value)


def test_open_session_on_cpu_stays_there(tiny_model_bytes: bytes) -> None:
    session, name = open_session(tiny_model_bytes, "cpu", EngineOptions(threads=2))
    assert name == "cpu"
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == 2
    assert session._enable_fallback is False


def test_open_session_of_no_model_is_a_model_file_error_that_names_it() -> None:
    with pytest.raises(
        ModelFileError, match=r"model\.onnx: expected a model that ONNX Runtime .* opens, but it says: "
    ):
        open_session(b"no model", "cpu", EngineOptions(), r"model.onnx")


@no_cuda
@gpu_wheel
def test_open_session_cuda_without_its_libraries_names_one_and_the_remedy(tiny_model_bytes: bytes) -> None:
    with pytest.raises(
        ProviderUnavailable, match=r"provider 'cuda': .* can't load lib\w+\.so[.\d]*.*install "
    ) as caught:
        open_session(tiny_model_bytes, "cuda", EngineOptions())
    assert "Fail" in type(caught.value.__cause__).__name__


@no_cuda
@gpu_wheel
def test_open_session_tensorrt_without_its_libraries_names_one(tiny_model_bytes: bytes) -> None:
    with pytest.raises(ProviderUnavailable, match=r"provider 'tensorrt': .* can't load lib\w+\.so"):
        open_session(tiny_model_bytes, "tensorrt", EngineOptions())


@no_cuda
def test_providers_that_do_not_run_leave_stdout_and_stderr_empty() -> None:
    code = (
        "from runtime.errors import ProviderUnavailable\n"
        "from runtime.engine.probe import probe_model\n"
        "from runtime.options import EngineOptions\n"
        "from runtime.engine.providers import open_session, usable_providers\n"
        "usable_providers()\n"
        "for name in ('cuda', 'tensorrt'):\n"
        "    try:\n"
        "        open_session(probe_model(), name, EngineOptions())\n"
        "    except ProviderUnavailable:\n"
        "        continue\n"
        "    raise SystemExit(name + ' opened')\n"
        "assert open_session(probe_model(), 'auto', EngineOptions())[1] == 'cpu'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_open_session_provider_not_built_in_names_the_package(tiny_model_bytes: bytes, monkeypatch) -> None:
    monkeypatch.setattr(opening, "available", lambda: ("AzureExecutionProvider", "CPUExecutionProvider"))
    with pytest.raises(ProviderUnavailable, match=r"'cuda': .* has only cpu; install onnxruntime-gpu in place of"):
        open_session(tiny_model_bytes, "cuda", EngineOptions())


def test_open_session_that_lands_on_the_cpu_is_refused(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    # what onnxruntime does by itself where a library is missing: a session on the CPU, no exception
    cuda_stands_ready.setattr(
        opening,
        "new_session",
        lambda data, *_: onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]),
    )
    with pytest.raises(ProviderUnavailable, match=r"'cuda': expected a session on it, .* on CPUExecutionProvider"):
        open_session(tiny_model_bytes, "cuda", EngineOptions())


def test_open_session_named_is_asked_for_alone_and_strictly(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    seen = {}

    def record(_: bytes, options: onnxruntime.SessionOptions, **arguments: object) -> SimpleNamespace:
        seen.update(arguments, strict=options.get_session_config_entry("session.disable_cpu_ep_fallback"))
        return SimpleNamespace(
            get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
            disable_fallback=lambda: seen.update(disabled=True),
        )

    cuda_stands_ready.setattr(onnxruntime, "InferenceSession", record)
    cuda_stands_ready.setattr(providers, "prove", lambda *_: None)
    open_session(tiny_model_bytes, "cuda", EngineOptions())
    assert seen == {
        "providers": [("CUDAExecutionProvider", cuda_options(EngineOptions(), 4096, graph=True))],
        "enable_fallback": 0,
        "strict": "1",
        "disabled": True,
    }


def test_open_session_device_error_is_told_in_the_engines_words(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=car")

    cuda_stands_ready.setattr(opening, "new_session", fail)
    with pytest.raises(ProviderUnavailable, match="says: CUDA failure 100: no CUDA-capable device is detected; check"):
        open_session(tiny_model_bytes, "cuda", EngineOptions())


def test_open_session_auto_with_a_device_that_fails_takes_the_cpu(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    def only_cpu(data: bytes, _: object, provider: str, *__: object) -> FakeSession:
        if provider == "CPUExecutionProvider":
            return FakeSession(data, provider)
        raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")

    cuda_stands_ready.setattr(opening, "new_session", only_cpu)
    told: list[str] = []
    assert open_session(tiny_model_bytes, "auto", EngineOptions(), on_cpu=told.append)[1] == "cpu"
    assert len(told) == 1  # a GPU that is there and does not run is no silent matter
    assert told[0].startswith("the whole model runs on the CPU: provider 'cuda': expected it to run here")


LOST = "CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=car"


@pytest.mark.parametrize("provider", ["cuda", "auto"])
@pytest.mark.parametrize("when", ["probe opens", "probe runs", "model opens"])
def test_open_session_that_loses_the_device_ends_there_and_is_remembered(
    tiny_model_bytes: bytes, cuda_stands_ready, provider: str, when: str
) -> None:
    class Dying(FakeSession):
        def run(self, *arguments: object) -> object:
            if when == "probe runs":
                raise Fail(LOST)
            return self._session.run(*arguments)

    def lose(data: bytes, _: object, full: str, *__: object) -> FakeSession:
        if full == "CUDAExecutionProvider" and when == ("probe opens" if data == probe_model() else "model opens"):
            raise Fail(LOST)
        return Dying(data, full)

    cuda_stands_ready.setattr(failures, "_lost", {})
    cuda_stands_ready.setattr(opening, "new_session", lose)
    with pytest.raises(DeviceLostError, match=r"'cuda': expected device 3 .* CUDA failure 719: .*; restart"):
        open_session(tiny_model_bytes, provider, EngineOptions(device_id=3), allow_cpu=True)
    with pytest.raises(DeviceLostError, match="CUDA failure 719"):
        failures.refuse_lost("cuda", 3)


def test_usable_providers_on_a_device_that_is_lost_says_so(cuda_stands_ready) -> None:
    def lose(data: bytes, _: object, full: str, *__: object) -> FakeSession:
        if full == "CUDAExecutionProvider":
            raise Fail(LOST)
        return FakeSession(data, full)

    cuda_stands_ready.setattr(failures, "_lost", {})
    cuda_stands_ready.setattr(opening, "new_session", lose)
    found = {status.name: status for status in usable_providers()}
    assert (found["cuda"].usable, found["cpu"].usable) == (False, True)
    assert "restart the process" in found["cuda"].reason


def test_open_session_device_by_number_where_the_provider_takes_none_is_refused(
    tiny_model_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "available", lambda: ("CoreMLExecutionProvider", "CPUExecutionProvider"))
    with pytest.raises(ProviderUnavailable, match=r"provider 'coreml': expected device_id 0, .* got 2; leave"):
        open_session(tiny_model_bytes, "coreml", EngineOptions(device_id=2))


def test_open_session_model_taken_in_part_is_refused_by_name_and_skipped_by_auto(
    tiny_model_bytes: bytes, cuda_stands_ready
) -> None:
    def probe_only(data: bytes, options: object, provider: str, *__: object) -> FakeSession:
        if data == probe_model() or provider == "CPUExecutionProvider":
            return FakeSession(data, provider)
        raise Fail("This session contains graph nodes that are assigned to the default CPU EP")

    cuda_stands_ready.setattr(opening, "new_session", probe_only)
    with pytest.raises(ProviderUnavailable, match=r"not this model: .* default CPU EP; use provider 'cpu'"):
        open_session(tiny_model_bytes, "cuda", EngineOptions())
    assert open_session(tiny_model_bytes, "auto", EngineOptions())[1] == "cpu"


def test_open_session_auto_takes_the_first_that_runs(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    cuda_stands_ready.setattr(opening, "new_session", lambda data, _, provider, *__: FakeSession(data, provider))
    assert open_session(tiny_model_bytes, "auto", EngineOptions())[1] == "cuda"


def test_open_session_auto_without_a_driver_does_not_even_try(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    cuda_stands_ready.setattr(providers, "driver_missing", lambda name: name == "cuda")
    tried = []

    def record(data: bytes, _: object, provider: str, *__: object) -> FakeSession:
        tried.append(provider)
        return FakeSession(data, provider)

    cuda_stands_ready.setattr(opening, "new_session", record)
    assert open_session(tiny_model_bytes, "auto", EngineOptions())[1] == "cpu"
    assert tried == ["CPUExecutionProvider"]


def test_open_session_allowed_the_cpu_has_a_part_of_the_model_there_and_says_why(
    tiny_model_bytes: bytes, cuda_stands_ready
) -> None:
    strictness = []

    def in_part(data: bytes, options: onnxruntime.SessionOptions, provider: str, *_: object) -> FakeSession:
        if data != probe_model():
            strictness.append(is_strict(options))
            if strictness[-1]:
                raise Fail("This session contains graph nodes that are assigned to the default CPU EP")
        return FakeSession(data, provider)

    cuda_stands_ready.setattr(opening, "new_session", in_part)
    told: list[str] = []
    session, name = open_session(tiny_model_bytes, "cuda", EngineOptions(), allow_cpu=True, on_cpu=told.append)
    assert (name, session.get_providers()[0], strictness) == ("cuda", "CUDAExecutionProvider", [True, False])
    assert len(told) == 1
    assert told[0].startswith(
        "a part of the model runs on the CPU: provider 'cuda': expected it to take the whole model"
    )


def test_open_session_allowed_the_cpu_has_all_of_it_there_where_the_provider_does_not_run(
    tiny_model_bytes: bytes, cuda_stands_ready
) -> None:
    def only_cpu(data: bytes, _: object, provider: str, *__: object) -> FakeSession:
        if provider == "CPUExecutionProvider":
            return FakeSession(data, provider)
        raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")

    cuda_stands_ready.setattr(opening, "new_session", only_cpu)
    told: list[str] = []
    _, name = open_session(tiny_model_bytes, "cuda", EngineOptions(), allow_cpu=True, on_cpu=told.append)
    assert name == "cpu"
    assert told[0].startswith("the whole model runs on the CPU: provider 'cuda': expected it to run here")
    assert "CUDA failure 100" in told[0]


def test_open_session_allowed_the_cpu_keeps_off_a_provider_that_opens_and_then_fails(
    tiny_model_bytes: bytes, cuda_stands_ready
) -> None:
    class Broken(FakeSession):
        def run(self, *_: object) -> None:
            raise Fail("Failed to load libcudnn_graph.so.9")

    cuda_stands_ready.setattr(opening, "new_session", lambda data, _, provider, *__: Broken(data, provider))
    told: list[str] = []
    _, name = open_session(tiny_model_bytes, "cuda", EngineOptions(), allow_cpu=True, on_cpu=told.append)
    assert name == "cpu"
    assert told[0].startswith("the whole model runs on the CPU: ")
    assert "Failed to load libcudnn_graph.so.9" in told[0]


@no_cuda
@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_open_session_allowed_the_cpu_really_runs_there_where_a_library_is_missing(
    tiny_model_bytes: bytes, name: str
) -> None:
    told: list[str] = []
    session, found = open_session(tiny_model_bytes, name, EngineOptions(), allow_cpu=True, on_cpu=told.append)
    assert (found, session.get_providers()) == ("cpu", ["CPUExecutionProvider"])
    assert told[0].startswith(f"the whole model runs on the CPU: provider '{name}': ")


@pytest.mark.parametrize("provider", ["cpu", "auto"])
def test_open_session_allowed_the_cpu_tells_nothing_where_nothing_was_refused(
    tiny_model_bytes: bytes, provider: str
) -> None:
    told: list[str] = []
    open_session(tiny_model_bytes, provider, EngineOptions(), allow_cpu=True, on_cpu=told.append)
    assert told == []


def test_open_session_of_a_model_that_the_cpu_does_not_open_either_is_a_model_file_error(
    tiny_model_bytes: bytes, cuda_stands_ready
) -> None:
    def none(*_: object) -> None:
        raise Fail("no such operator")

    cuda_stands_ready.setattr(opening, "new_session", none)
    with pytest.raises(ModelFileError, match="says: no such operator; export it again"):
        open_session(tiny_model_bytes, "cuda", EngineOptions(), allow_cpu=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "CUDA failure 101: invalid device ordinal ; GPU=0",
            "finds no GPU with device_id 7: CUDA failure 101: .*nvidia-smi",
        ),
        (
            "CUDA failure 209: no kernel image is available",
            "has no code for this GPU's architecture: CUDA failure 209: ",
        ),
    ],
)
def test_open_session_failure_with_a_known_cause_says_what_to_do_every_time(
    tiny_model_bytes: bytes, cuda_stands_ready, words: str, told: str
) -> None:
    asked = []

    def fail(_: bytes, __: object, ___: str, engine: EngineOptions, *____: object) -> None:
        asked.append(engine.device_id)
        raise RuntimeError(words)

    cuda_stands_ready.setattr(opening, "new_session", fail)
    for _ in range(3):
        with pytest.raises(ProviderUnavailable, match=f"^provider 'cuda': expected it to run here, but .* {told}"):
            open_session(tiny_model_bytes, "cuda", EngineOptions(device_id=7))
    assert asked == [7, 7, 7]  # the probe is on the device that was asked for


def test_provider_without_code_for_the_architecture_shows_at_the_first_kernel(
    tiny_model_bytes: bytes, cuda_stands_ready
) -> None:
    class Elsewhere(FakeSession):
        def run(self, *_: object) -> None:
            raise Fail("CUDA failure 209: no kernel image is available for execution on the device ; GPU=0")

    cuda_stands_ready.setattr(opening, "new_session", lambda data, _, provider, *__: Elsewhere(data, provider))
    with pytest.raises(
        ProviderUnavailable, match=r"has no code for this GPU's architecture.*; install an ONNX Runtime"
    ):
        open_session(tiny_model_bytes, "cuda", EngineOptions())
    status = next(status for status in usable_providers() if status.name == "cuda")  # what `segtool doctor` shows
    assert "has no code for this GPU's architecture" in status.reason


def test_usable_providers_tells_of_cpu_cuda_and_tensorrt_with_reasons() -> None:
    found = {status.name: status for status in usable_providers()}
    assert {"cpu", "cuda", "tensorrt"} <= set(found) <= set(PROVIDERS)
    assert found["cpu"].usable
    assert all(status.usable or f"provider '{name}'" in status.reason for name, status in found.items())


def test_provider_failing_at_the_first_run_is_not_usable(tiny_model_bytes: bytes, cuda_stands_ready) -> None:
    class Broken(FakeSession):
        def run(self, *_: object) -> None:
            raise Fail("Failed to load libcudnn_graph.so.9")

    cuda_stands_ready.setattr(opening, "new_session", lambda data, _, provider, *__: Broken(data, provider))
    with pytest.raises(ProviderUnavailable, match=r"'cuda': .* failed: Failed to load libcudnn_graph"):
        open_session(tiny_model_bytes, "cuda", EngineOptions())
    status = next(status for status in usable_providers() if status.name == "cuda")
    assert not status.usable
    assert "it opened and then failed: Failed to load libcudnn_graph.so.9; check" in status.reason


def test_usable_providers_with_wrong_numbers_is_not_usable(cuda_stands_ready) -> None:
    class Wrong(FakeSession):
        def run(self, _: list[str], feed: dict[str, object]) -> list[object]:
            return [feed["x"]]

    cuda_stands_ready.setattr(opening, "new_session", lambda data, _, provider, *__: Wrong(data, provider))
    assert [status.usable for status in usable_providers()] == [False, False, False]
    assert "expected the right numbers from a small model, got wrong ones" in usable_providers()[0].reason


def test_precision_notes_tell_what_is_not_as_expected() -> None:
    assert "in float: it is slower there than fp16" in precision_notes("cuda", "int8")[0]
    assert "fp32 between casts" in precision_notes("cpu", "fp16")[0]
    assert [precision_notes(*pair) for pair in (("cuda", "fp16"), ("cpu", "fp32"), ("cpu", "int8"))] == [()] * 3
