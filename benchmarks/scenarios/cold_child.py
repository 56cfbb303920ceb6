"""What a cold start measures: a program that imports the runtime, opens a file and labels a frame, as a vehicle's does.

Run as a script in a process of its own; it reports one line of JSON. Its clock is the one that its parent reads too
(CLOCK_MONOTONIC: one for all processes). Before `runtime` it imports the standard library alone, so that what the
runtime needs is paid where it is measured.
"""

import json
import sys
import time


def start_up(path: str, provider: str, options: dict[str, object]) -> None:
    """Goes from nothing imported to the labels of a first frame, and reports.

    Each time in the report has its own two readings of the clock: `import_ms`; `steps_ms`, the runtime's own steps of
    a start; `first_frame_ms`. Beside them stand `began_ns`, the clock when the imports began; `valid`, whether the
    first labels are an answer; and `provider`, that gave it.

    Args:
        path: the model file.
        provider: as for Segmenter.
        options: fields of EngineOptions.
    """
    began_ns = time.monotonic_ns()
    import numpy as np

    from runtime import EngineOptions, Event, Segmenter

    imported_ns = time.monotonic_ns()
    events: list[Event] = []
    segmenter = Segmenter(path, provider, options=EngineOptions(**options), on_event=events.append)  # type: ignore[arg-type]
    before_ns = time.monotonic_ns()
    spec = segmenter.spec
    frame = np.full(spec.frame_shape if spec.batch == 1 else (spec.batch, *spec.frame_shape), 128, np.uint8)
    result = segmenter.segment(frame)
    answered_ns = time.monotonic_ns()
    report = {
        "began_ns": began_ns,
        "import_ms": (imported_ns - began_ns) / 1e6,
        "steps_ms": next(event.facts["steps_ms"] for event in events if event.code == "segmenter.ready"),
        "first_frame_ms": (answered_ns - before_ns) / 1e6,
        "valid": bool(result.valid),
        "provider": segmenter.provider,
    }
    # here, where the segmenter still lives: to take it apart costs some milliseconds, which no vehicle waits for
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    start_up(**json.loads(sys.argv[1]))
