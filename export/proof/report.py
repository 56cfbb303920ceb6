"""A proof as the terminal shows it: the verdict in one line, why, and the tables behind it. Plain rows, no drawing."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from export.proof.gates import TABLE
from export.proof.parity import Parity

Rows = list[tuple[str, ...]]

OVERVIEW_HEADER = ("pixels", "share", "agreement")
STAGES_HEADER = ("stage", "largest error", "mean error", "allowed", "verdict")
GATES_HEADER = ("gate", "value", "why")
CLASSES_HEADER = ("class", "IoU trained", "IoU file", "recall trained", "recall file", "likeness", "verdict")

_KINDS = {
    "everywhere": "all",
    "confident": "confident",
    "near_ties": "near ties",
    "boundary": "within 3 px of a border",
    "elsewhere": "elsewhere",
}
_UNITS = {"normalised": "std", "logits": "spreads"}  # the others are images


def verdict_line(parity: Parity) -> str:
    """PASSED, FAILED or NOT PROVEN, on how many frames, by which provider, and what was not proven."""
    word = "FAILED" if not parity.passed else "PASSED" if parity.proven else "NOT PROVEN"
    line = f"{word}: {parity.precision} on '{parity.provider}', {parity.measured.frames} frames"
    truth = parity.measured.truth
    if truth is not None:
        drop = truth.drop
        line += f", mean IoU {truth.reference.mean_iou:.4f} -> {truth.candidate.mean_iou:.4f}"
        if np.isfinite(drop.low):
            line += f" (95 % interval of the change {0 - drop.high:+.4f} to {0 - drop.low:+.4f})"
    unproven = [verdict.name for verdict in parity.verdict.classes if verdict.state == "not proven"]
    if unproven:
        line += f"; not proven: {', '.join(unproven)}"
    return line


def reasons(parity: Parity) -> list[str]:
    """One line for each gate that said no, for each thing not proven, and for each gate that was moved."""
    moved = [f"gate {change.name}: {change.used:g} in place of {change.default:g}" for change in parity.verdict.changed]
    return [
        *(f"failed: {sentence}" for sentence in parity.failures),
        *(f"not proven: {sentence}" for sentence in parity.not_proven),
        *moved,
    ]


def overview_rows(parity: Parity) -> Rows:
    """Agreement by kind of pixel; see `OVERVIEW_HEADER`."""
    pixels = parity.measured.everywhere.pixels
    shares = [(name, getattr(parity.measured, kind)) for kind, name in _KINDS.items()]
    return [(name, f"{share.pixels / pixels:.2%}", _percent(share.agreement)) for name, share in shares]


def stage_rows(parity: Parity) -> Rows:
    """Errors by stage; see `STAGES_HEADER`. Without the trained network there are none."""
    rows: Rows = []
    for stage in parity.stages:
        unit = _UNITS.get(stage.name, "levels")
        verdict = "passed" if stage.within else "FAILED"
        rows.append((stage.name, f"{stage.largest:.3g} {unit}", f"{stage.mean:.3g}", f"{stage.tolerance:.3g}", verdict))
    if parity.confidence is not None:
        error = parity.confidence
        verdict = "FAILED" if error.failures(parity.gates) else "passed"
        limit = f"{parity.gates.confidence_error:g} mean"
        rows.append(("confidence", f"{error.largest} levels", f"{error.mean:.3g}", limit, verdict))
    return rows


def gate_rows(parity: Parity) -> Rows:
    """Each gate that was applied, and why it stands there; see `GATES_HEADER`."""
    return [(name, f"{value:g}", TABLE[name].why) for name, value in asdict(parity.gates).items()]


def class_rows(parity: Parity) -> Rows:
    """Each class before and after, with its verdict; see `CLASSES_HEADER`."""
    truth, likeness = parity.measured.truth, parity.measured.likeness.candidate.iou
    rows: Rows = []
    for label, verdict in enumerate(parity.verdict.classes):
        columns = [likeness[label]]
        if truth is not None:
            pair = truth.reference, truth.candidate
            columns = [*(s.iou[label] for s in pair), *(s.accuracy[label] for s in pair), *columns]
        else:
            columns = [np.nan] * 4 + columns
        state = verdict.state.upper() if verdict.state == "failed" else verdict.state
        rows.append((verdict.name, *_decimals(columns), state))
    return rows


def _decimals(values: Sequence[float]) -> list[str]:
    return [f"{value:.4f}" if np.isfinite(value) else "-" for value in values]


def _percent(value: float) -> str:
    return f"{value:.4%}" if np.isfinite(value) else "-"
