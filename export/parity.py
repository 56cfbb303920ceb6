"""Does the file answer as the network that was trained? Real frames, fp32 PyTorch against the file in ONNX Runtime.

The known toolchains compare logits on noise. Here labels, per-class IoU against the truth and logits are compared on
frames of the data set, and a gate decides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from runtime.metrics import Scores, confusion_matrix, scores
from runtime.segmenter import Segmenter
from trainer.data.dataset import Frame
from trainer.data.progress import track
from trainer.json_file import number
from trainer.networks.ends import Normalise, labels_from_logits


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What a file must reach; fractions of 1.

    Attributes:
        agreement: least share of pixels with the reference's label.
        mean_iou_drop: most that mean IoU against the truth may fall.
        class_iou_drop: most that any class's IoU may fall; a mean can hide a class.
    """

    agreement: float
    mean_iou_drop: float = 0.002
    class_iou_drop: float = 0.01


# fp32: only the order of sums differs, a near tie in ten thousand may flip. fp16: 11 bits of mantissa; 99.94 % was
# measured on a real U-Net, so 99.8 % leaves room for other networks and none for a fault.
GATES = {"fp32": Gates(agreement=0.9999), "fp16": Gates(agreement=0.998)}


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What was measured and what the gates said.

    Attributes:
        frames: compared.
        provider: that ran the file.
        agreement: share of all pixels, ignored ones too, with equal labels.
        reference: scores of the fp32 network against the truth.
        candidate: scores of the file against the truth.
        logit_error_max: largest |difference| of any logit, the file's graph run on the CPU whatever `provider` is; NaN
            where a logit is not finite.
        logit_error_mean: mean |difference|.
        gates: that were applied.
        failures: one sentence each; empty when the file passed.
    """

    frames: int
    provider: str
    agreement: float
    reference: Scores
    candidate: Scores
    logit_error_max: float
    logit_error_mean: float
    gates: Gates
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no gate said no."""
        return not self.failures

    def summary(self) -> dict[str, object]:
        """The few numbers that travel in the spec; not-finite numbers as None."""
        return {
            "passed": self.passed,
            "frames": self.frames,
            "provider": self.provider,
            "agreement": self.agreement,
            "mean_iou_reference": number(self.reference.mean_iou),
            "mean_iou_file": number(self.candidate.mean_iou),
            "logits_provider": "cpu",
            "logit_error_max": number(self.logit_error_max),
            "logit_error_mean": number(self.logit_error_mean),
        }

    def report(self, classes: Sequence[str]) -> dict[str, object]:
        """Everything, ready for JSON: the summary, the gates, each class before and after."""
        table = zip(classes, self.reference.iou.tolist(), self.candidate.iou.tolist(), strict=True)
        return {
            "schema_version": 1,
            **self.summary(),
            "pixel_accuracy_reference": number(self.reference.pixel_accuracy),
            "pixel_accuracy_file": number(self.candidate.pixel_accuracy),
            "gates": vars(self.gates),
            "failures": list(self.failures),
            "classes": [
                {
                    "name": name,
                    "iou_reference": number(before),
                    "iou_file": number(after),
                    "delta": number(after - before),
                }
                for name, before, after in table
            ],
        }


def compare(
    network: nn.Module,
    normalise: Normalise,
    segmenter: Segmenter,
    logits_model: bytes,
    frames: Sequence[Frame],
    gates: Gates,
) -> Parity:
    """Runs the trained network and the file over the same frames.

    Args:
        network: the reference, float32, evaluation mode, on the CPU.
        normalise: float32, as in training.
        segmenter: the very file that is to be published.
        logits_model: the same graph with the logits as an output.
        frames: at the network's size, one or more.
        gates: to apply.
    """
    classes = segmenter.spec.classes
    session = onnxruntime.InferenceSession(logits_model, providers=["CPUExecutionProvider"])
    counts = [np.zeros((len(classes), len(classes) + 1), np.int64) for _ in range(2)]
    equal, pixels, largest, total, values = 0, 0, 0.0, 0.0, 0
    for frame in track(frames, "parity", len(frames)):
        expected_logits, expected = _reference(network, normalise, frame.image_hwc)
        labels = segmenter.segment(frame.image_hwc).labels
        logits = session.run(["logits"], {"image": frame.image_hwc[None]})[0][0]
        error = np.abs(logits.astype(np.float64) - expected_logits)
        largest = float(np.maximum(largest, error.max()))  # np.maximum keeps a NaN, max() may lose it
        total, values = total + float(error.sum()), values + error.size
        equal, pixels = equal + int((labels == expected).sum()), pixels + labels.size
        counts[0] += confusion_matrix(frame.labels_hw, expected, len(classes))
        counts[1] += confusion_matrix(frame.labels_hw, labels, len(classes))
    reference, candidate = scores(counts[0]), scores(counts[1])
    agreement = equal / pixels
    return Parity(
        frames=len(frames),
        provider=segmenter.provider,
        agreement=agreement,
        reference=reference,
        candidate=candidate,
        logit_error_max=largest,
        logit_error_mean=total / values,
        gates=gates,
        failures=judge(agreement, reference, candidate, classes, gates, logit_error_max=largest),
    )


def judge(
    agreement: float,
    reference: Scores,
    candidate: Scores,
    classes: Sequence[str],
    gates: Gates,
    *,
    logit_error_max: float,
) -> tuple[str, ...]:
    """Applies the gates; each comparison is written so that a NaN fails it.

    Returns:
        One sentence for each gate that said no.
    """
    failures = []
    if not agreement >= gates.agreement:
        failures.append(f"label agreement is {agreement:.4%}, at least {gates.agreement:.2%} is needed")
    both = ~(np.isnan(reference.iou) | np.isnan(candidate.iou))
    drop = float(np.mean(reference.iou[both]) - np.mean(candidate.iou[both])) if both.any() else math.nan
    if not drop <= gates.mean_iou_drop:
        failures.append(f"mean IoU fell by {drop:.4f}, at most {gates.mean_iou_drop} is allowed")
    for name, before, after in zip(classes, reference.iou.tolist(), candidate.iou.tolist(), strict=True):
        if math.isnan(before) or math.isnan(after):
            continue  # not in the truth, and at most a stray pixel of one of the two: agreement alone judges it
        if not before - after <= gates.class_iou_drop:
            failures.append(f"IoU of {name} fell by {before - after:.4f}, at most {gates.class_iou_drop} is allowed")
    if not math.isfinite(logit_error_max):
        failures.append("a logit is not finite, in the file or in the network")
    return tuple(failures)


def _reference(
    network: nn.Module, normalise: Normalise, image_hwc: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Logits float64 [C,H,W] and labels uint8 [H,W] of the trained network."""
    with torch.no_grad():
        logits = network(normalise(torch.from_numpy(image_hwc)[None]))
        labels = labels_from_logits(logits)
    return logits[0].double().numpy(), labels[0].numpy()
