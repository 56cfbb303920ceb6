"""The way of a Segmenter from a path to an engine that has shown that it answers right, step by step."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from . import fork
from .engine.binding import open_engine
from .engine.failures import is_lost, refuse_lost, remember_lost
from .engine.placement import Placement, placement_of
from .engine.providers import open_session, precision_notes
from .engine.session import ENGINE_ERRORS, message_of
from .errors import DeviceError, DeviceLostError, ModelFileError, SegtoolError, SelfTestError, UsageError
from .events import OnEvent, tell
from .frames import answer_arrays
from .golden import read_golden
from .health import CLOCK_NS, Vitals
from .model_file import ModelFile, load_model_file
from .options import EngineOptions
from .selftest import run_golden

Frame = npt.NDArray[np.uint8]

STEPS = ("file", "session", "warm-up", "self-test", "placement")
"""What a start consists of, in its order: the keys of `Started.steps_ms`."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a Segmenter was asked for; the arguments of its constructor, which says what they mean.

    Raises:
        UsageError: one that can't be used.
    """

    path: str | os.PathLike[str]
    provider: str
    options: EngineOptions
    sha256: str | None
    allow_cpu: bool
    warmup_frames: int
    self_test: bool
    on_event: OnEvent | None

    def __post_init__(self) -> None:
        if type(self.warmup_frames) is not int or self.warmup_frames < 0:
            raise UsageError(f"warmup_frames: expected a whole number of at least 0, got {self.warmup_frames!r}")
        if not isinstance(self.options, EngineOptions):
            raise UsageError(
                f"options: expected EngineOptions or None, got {type(self.options).__name__}; make EngineOptions()"
            )
        for name in ("allow_cpu", "self_test"):
            if type(getattr(self, name)) is not bool:
                raise UsageError(f"{name}: expected True or False, got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Started:
    """What came of it: the checked file, the engine bound to its buffers, where the nodes run, and what each step took.

    Attributes:
        steps_ms: a time for each of STEPS; they leave nothing of the start out.
    """

    model: ModelFile
    engine: Any
    provider: str
    placement: Placement
    steps_ms: Mapping[str, float]


def start(order: Order, vitals: Vitals) -> Started:
    """Checks the file, opens the engine, warms it up and has it answer the golden frames.

    Args:
        order: what is asked for.
        vitals: is told the provider and the runs.

    Raises:
        As Segmenter's constructor.
    """
    where, marks_ns = str(order.path), [CLOCK_NS()]
    model = load_model_file(order.path, order.sha256)
    marks_ns.append(CLOCK_NS())
    refuse_lost(order.provider, order.options.device_id)
    session, provider = open_session(
        model.data,
        order.provider,
        order.options,
        where,
        allow_cpu=order.allow_cpu,
        on_cpu=lambda why: tell(order.on_event, "segmenter.cpu_allowed", f"{where}: {why}"),
    )
    fork.keep(session)
    vitals.provider = provider
    for note in precision_notes(provider, model.spec.precision):
        tell(order.on_event, "segmenter.note", f"{where}: {note}")
    try:
        engine = open_engine(session, provider, model.spec, order.options)
        fork.keep(engine)
        marks_ns.append(CLOCK_NS())
        _warm_up(engine, model, where, order.warmup_frames, vitals)
        marks_ns.append(CLOCK_NS())
        _test_itself(engine, model, order, vitals)
        marks_ns.append(CLOCK_NS())
    except SegtoolError:  # many are ValueErrors, as some of the engine's are
        raise
    except ENGINE_ERRORS as error:
        vitals.fail(message_of(error))
        raise failure(error, where, provider, order.options.device_id, starting=True) from error
    placement = placement_of(session, provider, model.structure, model.sha256, engine.cuda_graph)
    model = replace(model, data=b"")  # the engine has made its own of it
    marks_ns.append(CLOCK_NS())
    steps_ms = {step: (end - begin) / 1e6 for step, (begin, end) in zip(STEPS, pairwise(marks_ns), strict=True)}
    return Started(model=model, engine=engine, provider=provider, placement=placement, steps_ms=steps_ms)


def failure(error: Exception, where: str, provider: str, device_id: int, *, starting: bool) -> Exception:
    """The error to raise for one of the engine's; a device that is lost is remembered for the whole process.

    Args:
        error: one of ENGINE_ERRORS.
        where: the model file.
        provider: that ran it.
        device_id: of the GPU.
        starting: in the warm-up, where a CPU has no driver to blame: there it is the file that can't be run.
    """
    told = f"{where}: expected provider '{provider}' to run it, but it failed: {message_of(error)}; "
    if provider != "cpu" and is_lost(error):
        remember_lost(provider, device_id, message_of(error))
        return DeviceLostError(f"{told}the device is lost for this process: restart the process")
    kind = ModelFileError if starting and provider == "cpu" else DeviceError
    return kind(f"{told}make a new Segmenter, and check the device if it fails again")


def _run(engine: Any, frame: Frame, outs: tuple[Frame, ...], vitals: Vitals) -> None:  # noqa: ANN401
    started_ns = vitals.begin()
    try:
        engine.run(frame, *outs)
    finally:
        vitals.rest()
    vitals.end(started_ns)


def _warm_up(engine: Any, model: ModelFile, where: str, frames: int, vitals: Vitals) -> None:  # noqa: ANN401
    spec = model.spec
    frame = np.full(spec.frame_shape if spec.batch == 1 else (spec.batch, *spec.frame_shape), 128, np.uint8)
    outs = answer_arrays(None, None, spec, where)
    for _ in range(frames):
        _run(engine, frame, outs, vitals)


def _test_itself(engine: Any, model: ModelFile, order: Order, vitals: Vitals) -> None:  # noqa: ANN401
    spec, where = model.spec, str(order.path)
    if not order.self_test or model.golden is None:
        why = "it carries no golden frames" if order.self_test else "self_test=False"
        tell(order.on_event, "segmenter.selftest_skipped", f"{where}: not tested on golden frames: {why}")
        return
    outs = answer_arrays(None, None, spec, where)

    def label(frames: Frame) -> Frame:
        _run(engine, frames, outs, vitals)
        return outs[0]

    result = run_golden(label, read_golden(model.golden, spec, where), spec, vitals.provider)
    if not result.passed:
        raise SelfTestError(
            f"{where}: expected at least {100 * result.required:g} % of its golden frames' labels on provider "
            f"'{vitals.provider}', got {100 * min(result.agreement):.4f} %; do not use it here: check the device and "
            "its driver, or export the model again"
        )
