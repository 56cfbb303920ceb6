"""A trained network -> the bytes of a proven file: trace, precision, proof, golden frames, seal. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.confidence import calibrate_network
from export.describe import describe
from export.expected import Expected, expecting
from export.golden import AGREEMENT, golden_frames
from export.graph.deploy import Deploy
from export.graph.trace import OPSET, finish, trace
from export.numerics.half_truth import half_arithmetic_on
from export.numerics.int8_speed import measure_speed
from export.precision import PreciseGraph, in_half, in_int8
from export.proof.candidate import Candidate, groups
from export.proof.frames import ChosenFrames
from export.proof.gates import Gates
from export.proof.parity import Parity
from export.proof.picture import WorstFrames
from export.proof.prove import prove
from export.proof.prove_file import watching
from export.settings import ExportSettings
from runtime.errors import ModelFileError
from runtime.golden import pack_golden
from runtime.spec import ModelSpec
from trainer.data.augment import fit
from trainer.data.camera_frames import as_camera_frame
from trainer.evaluate import TrainedNetwork
from trainer.networks.ends import IMAGENET_MEAN, IMAGENET_STD

PICTURED_FRAMES = 4
_CONFIDENCE_FRAMES = 100


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The frames that an export looks at.

    Attributes:
        proof: of the validation split.
        training: of the training split, for int8's ranges and half precision's; None for float32, which needs none.
        golden: a data set for the self-test's frames; None for synthetic scenes.
    """

    proof: ChosenFrames
    training: ChosenFrames | None
    golden: Path | None


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished file in memory, and what was found about it.

    Attributes:
        data: sealed.
        spec: in it.
        parity: of it.
        report: all that was measured, ready for JSON.
        worst: the frames that differ most.
        notes: sentences that whoever exports must read.
        refusals: why it must not be published, one sentence each; none for a good file.
    """

    data: bytes
    spec: ModelSpec
    parity: Parity
    report: Mapping[str, object]
    worst: WorstFrames
    notes: tuple[str, ...]
    refusals: tuple[str, ...]


def build(
    trained: TrainedNetwork, run_name: str, settings: ExportSettings, sources: Sources, *, gates: Gates, provider: str
) -> Built:
    """Makes and proves a file.

    Args:
        trained: what is exported.
        run_name: for the spec.
        settings: what the file is to be.
        sources: the frames.
        gates: that it must pass.
        provider: that runs the file during the proof.

    Raises:
        DataError: frames that are not to be had, or too few of them.
        ModelFileError: the file does not keep the contract.
        GateError: no choice of nodes makes half precision good enough.
    """
    confidence = _confidence(trained, sources.proof) if settings.confidence else None
    spec = describe(trained, run_name, settings, opset=OPSET, confidence=confidence)
    golden, source = golden_frames(spec, sources.golden)  # before the long work: they may not be there
    graph = _traced(trained, settings, spec)
    proofs: list[tuple[Parity, WorstFrames, Expected]] = []  # the last one: int8 makes several, each with what it saw

    def passes(precise: PreciseGraph) -> bool:
        worst, expected = WorstFrames(count=PICTURED_FRAMES), Expected(classes=spec.classes)
        watch = expecting(expected, watching(worst))
        data = finish(precise.model, replace(spec, numerics=precise.numerics))
        parity = prove(trained, data, sources.proof, gates=gates, provider=provider, watch=watch)
        proofs[:] = [(parity, worst, expected)]
        return parity.passed

    if settings.precision == "int8":
        frames, names = _training_frames(spec, sources)
        precise = in_int8(graph, frames, names, settings.int8_target, passes)  # asks `passes` of what it returns last
    elif settings.precision == "fp16":
        precise = in_half(graph, _training_frames(spec, sources)[0], gates.agreement)
        passes(precise)
    else:
        precise = PreciseGraph(model=graph)
        passes(precise)
    parity, worst, expected = proofs[-1]
    spec = replace(spec, numerics=precise.numerics, parity=parity.summary(), expected=expected.document())
    data, spec = _with_golden(precise.model, spec, golden, source, parity.provider)
    more, slow, notes = _measured(graph, data, spec, settings, parity.provider)
    refusals = (*parity.failures, *slow)
    return Built(
        data=data,
        spec=spec,
        parity=parity,
        report={**parity.report(), "refusals": list(refusals), "numerics": dict(precise.report), **more},
        worst=worst,
        notes=(*precise.notes, *notes),
        refusals=refusals,
    )


def _confidence(trained: TrainedNetwork, frames: ChosenFrames) -> dict[str, object]:
    config = trained.config
    chosen = frames[:: max(1, len(frames) // _CONFIDENCE_FRAMES)]  # held at once, so not all of many
    sized = [fit(frame, config.height_px, config.width_px) for frame in chosen]
    return calibrate_network(trained, sized).document()


def _traced(trained: TrainedNetwork, settings: ExportSettings, spec: ModelSpec) -> onnx.ModelProto:
    temperature = 1.0 if spec.confidence is None else float(str(spec.confidence["temperature"]))
    size = (spec.height_px, spec.width_px)
    return trace(
        Deploy(trained.network, settings, *size, temperature=temperature, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    )


def _training_frames(spec: ModelSpec, sources: Sources) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Frames of the training split as the file's camera delivers them, and their names."""
    if sources.training is None:
        raise ValueError("half precision and int8 need training frames")
    # one at a time: as files they may be far larger than as frames
    pairs = [(as_camera_frame(frame.image_hwc, spec), frame.name) for frame in sources.training]
    return [image for image, _ in pairs], [name for _, name in pairs]


def _with_golden(
    model: onnx.ModelProto, spec: ModelSpec, images: list[NDArray[np.uint8]], source: str, provider: str
) -> tuple[bytes, ModelSpec]:
    """The finished file, with golden frames that it was asked once more, reopened."""
    labels = _labels(finish(model, spec), images, provider)
    spec = replace(spec, golden={"frames": len(images), "source": source, "agreement": dict(AGREEMENT)})
    final = finish(model, spec, pack_golden(images, labels))
    again = _labels(final, images, provider)
    # a GPU may choose another kernel for a second session, and with it another order of sums
    least = 1.0 if provider == "cpu" else AGREEMENT["*"]
    if not all(np.mean(one == other) >= least for one, other in zip(labels, again, strict=True)):
        raise ModelFileError(
            "the finished file answers its golden frames differently after they were written into it; export again, "
            "and if it happens twice this machine computes wrongly"
        )
    return final, spec


def _labels(data: bytes, images: list[NDArray[np.uint8]], provider: str) -> list[NDArray[np.uint8]]:
    with Candidate(data, provider) as candidate:
        answers = [candidate.answer(group) for group in groups(images, candidate.spec.batch)]
    return [answer.labels_hw for group in answers for answer in group]


def _measured(
    graph: onnx.ModelProto, data: bytes, spec: ModelSpec, settings: ExportSettings, provider: str
) -> tuple[dict[str, object], tuple[str, ...], tuple[str, ...]]:
    """What a precision is asked beside its labels: did half arithmetic happen, is int8 faster? Also refusals, notes."""
    if settings.precision == "fp16":
        half = half_arithmetic_on(data, provider)
        return {"half_arithmetic": half.report()}, (), (half.sentence(),)
    if settings.precision == "int8" and settings.int8_target == "cpu":
        speed = measure_speed(graph.SerializeToString(), data, np.zeros(spec.frame_shape, np.uint8))
        refused = () if speed.refusal is None else (speed.refusal,)
        told = f"{speed.times_faster:.2f} times as fast as fp32 here ({speed.int8_ms:.2f} ms, one thread)"
        return {"speed": speed.record()}, refused, (told,)
    return {}, (), ()
