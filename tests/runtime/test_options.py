import math
from pathlib import Path

import onnxruntime
import pytest

from runtime.engine.probe import probe_model
from runtime.engine.session import new_session, session_options
from runtime.errors import UsageError
from runtime.options import EngineOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("threads", value) for value in (0, -1, 1.5, "2", True)),
        *(("device_id", value) for value in (-1, None, "0", 0.0)),
        *(("gpu_mem_limit_mb", value) for value in (0, 1.5, "4")),
        *(("stream_priority", value) for value in (1, -6, 0.5, None)),
        *((name, value) for name in ("spinning", "cuda_graph", "nhwc") for value in (None, 1, "yes")),
        *(("deadline_ms", value) for value in (0, -1.0, math.inf, math.nan, "33", True)),
        *(("affinity", value) for value in ("", "0", "1;", "a", "1 2", 1)),
    ],
)
def test_options_of_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"{name}: expected .*, got .*{value!r}|{name}: expected .*, got {value!r}"):
        EngineOptions(**{name: value})


@pytest.mark.parametrize("threads", [None, 1, 2, 4])
def test_options_affinity_without_its_threads_is_refused(threads: int | None) -> None:
    with pytest.raises(UsageError, match=f"got '1;2' with threads={threads}; give threads=3"):
        EngineOptions(affinity="1;2", threads=threads)


def test_options_of_sense_are_taken() -> None:
    options = EngineOptions(threads=3, affinity="1;2-3", deadline_ms=33.3, stream_priority=-5, engine_cache=Path("c"))
    assert (options.threads, options.affinity, options.device_id, options.cuda_graph) == (3, "1;2-3", 0, True)


def test_options_reach_the_session_of_onnxruntime() -> None:
    asked = session_options(EngineOptions(threads=2, affinity="1", spinning=False), only_named_provider=False)
    session = new_session(probe_model(), asked, "CPUExecutionProvider")  # it would refuse an affinity it can't read
    used: onnxruntime.SessionOptions = session.get_session_options()
    assert used.intra_op_num_threads == 2
    assert used.get_session_config_entry("session.intra_op_thread_affinities") == "1"
    assert used.get_session_config_entry("session.intra_op.allow_spinning") == "0"
