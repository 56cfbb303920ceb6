"""A comparison as a JSON object, versioned, and as the rows of its tables. Numbers that can't be known are null."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.approval import flicker, noise
from benchmarks.approval.changed import Tendency
from benchmarks.approval.comparison import Comparison
from benchmarks.approval.differences import Difference
from benchmarks.approval.flicker import Flicker
from benchmarks.approval.verdict import Allowance, State, Verdict
from benchmarks.approval.worst import FrameLoss
from export.proof.resample import LEVEL, RESAMPLES
from trainer.json_file import number

SCHEMA_VERSION = 1
IOU_COLUMNS = ("class", "pixels", "frames", "OLD IoU", "NEW IoU", "change", "95 % of it", "verdict")
RECALL_COLUMNS = ("class", "OLD recall", "NEW recall", "change", "95 % of it", "verdict")
CHANGED_COLUMNS = ("from OLD", "to NEW", "of all", "turned right", "turned wrong", "wrong both times")
FLICKER_COLUMNS = ("labels that flip", "OLD", "NEW", "measured on")

_MANY_PAIRS = 10  # of a table


def comparison_record(
    compared: Comparison,
    verdict: Verdict,
    allowance: Allowance,
    worst: Sequence[FrameLoss],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Composes the JSON object of a comparison.

    Args:
        compared: both models over the split.
        verdict: what came of it.
        allowance: what was allowed.
        worst: frames that lost most.
        facts: what is known of the data, both models (`old`, `new`), the machine, and what was asked for.
    """
    height_px, width_px = compared.compared_px
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "frames": len(compared.names),
        "compared_width_px": width_px,
        "compared_height_px": height_px,
        "max_drop": allowance.max_drop,
        "min_pixels": allowance.min_pixels,
        "min_frames": allowance.min_frames,
        "interval": {"level": LEVEL, "resamples": RESAMPLES},
        "verdict": verdict.line,
        "failures": list(verdict.failures),
        "not_proven": list(verdict.not_proven),
        "notes": list(compared.notes),
        "mean_iou": _difference(compared.scored.mean_iou, verdict.mean_iou),
        "classes": [
            {
                "name": each.name,
                "pixels": each.pixels,
                "frames": each.frames,
                "state": each.state,
                "iou": _difference(iou, each.iou),
                "recall": _difference(recall, each.recall),
            }
            for each, iou, recall in zip(verdict.classes, compared.scored.iou, compared.scored.recall, strict=True)
        ],
        "changed": {
            "pixels_with_truth": compared.changed.pixels,
            "share": number(compared.changed.share),
            **_tendency(compared.changed.total()),
            "pairs": [
                {"from": _name(compared, old), "to": _name(compared, new), **_tendency(tendency)}
                for old, new, tendency in compared.changed.pairs()
            ],
        },
        "flicker": {
            "video": None if not compared.video.pairs else _video(compared),
            "noise": {
                "frames": compared.noise_frames,
                "repeats": noise.REPEATS,
                "full_well_e": noise.FULL_WELL_E,
                "read_noise_e": noise.READ_NOISE_E,
                **_rates(compared.noise),
            },
        },
        "worst_frames": [
            {"frame": each.name, "loss": each.loss, "class": each.class_name, "class_loss": each.class_loss}
            for each in worst
        ],
    }


def iou_rows(compared: Comparison, verdict: Verdict) -> list[tuple[str, ...]]:
    """Returns table rows under `IOU_COLUMNS`, one a class, then the mean over the classes that both have."""
    rows = [
        (each.name, f"{each.pixels:,}", f"{each.frames:,}", *_shown(iou), each.iou)
        for each, iou in zip(verdict.classes, compared.scored.iou, strict=True)
    ]
    pixels = f"{sum(compared.class_pixels):,}"
    mean = ("mean", pixels, f"{len(compared.names):,}", *_shown(compared.scored.mean_iou), verdict.mean_iou)
    return [*rows, mean]


def recall_rows(compared: Comparison, verdict: Verdict) -> list[tuple[str, ...]]:
    """Returns table rows under `RECALL_COLUMNS`, one a class."""
    return [
        (each.name, *_shown(recall), each.recall)
        for each, recall in zip(verdict.classes, compared.scored.recall, strict=True)
    ]


def changed_rows(compared: Comparison) -> list[tuple[str, ...]]:
    """Returns table rows under `CHANGED_COLUMNS`: the most frequent changes, shares of all pixels with a truth."""
    pairs = [
        (_name(compared, old) or "no answer", _name(compared, new) or "no answer", tendency)
        for old, new, tendency in compared.changed.pairs()[:_MANY_PAIRS]
    ]
    return [
        (
            old,
            new,
            *(
                f"{100 * count / compared.changed.pixels:.3f} %"
                for count in (tendency.pixels, tendency.better, tendency.worse, tendency.neither)
            ),
        )
        for old, new, tendency in [*pairs, ("all", "", compared.changed.total())]
    ]


def flicker_rows(compared: Comparison) -> list[tuple[str, ...]]:
    """Returns table rows under `FLICKER_COLUMNS`: between frames where the scene stands still, and under noise."""
    video, noisy = compared.video, compared.noise
    still = ("between frames, where nothing moves", "-", "-", "not measured: the split is no video")
    if video.pairs:
        share = video.flicker.looked / video.pixels
        measured = f"{video.pairs:,} pairs of frames, {share:.0%} of their pixels"
        still = (still[0], *_percent(video.flicker), measured)
    measured = f"{compared.noise_frames} frames, {noise.REPEATS} exposures each"
    return [still, ("under sensor noise", *_percent(noisy), measured)]


def _difference(score: Difference, state: State) -> dict[str, Any]:
    return {
        **{name: number(getattr(score, name)) for name in ("old", "new", "change", "low", "high")},
        "state": state,
    }


def _tendency(tendency: Tendency) -> dict[str, int]:
    return {
        "pixels": tendency.pixels,
        "better": tendency.better,
        "worse": tendency.worse,
        "neither": tendency.neither,
    }


def _video(compared: Comparison) -> dict[str, Any]:
    return {
        "pairs": compared.video.pairs,
        "still_share": compared.video.flicker.looked / compared.video.pixels,
        "still_levels": flicker.STILL_LEVELS,
        **_rates(compared.video.flicker),
    }


def _rates(measured: Flicker) -> dict[str, float | None]:
    return {"old": number(measured.old_rate), "new": number(measured.new_rate)}


def _percent(measured: Flicker) -> tuple[str, str]:
    return f"{100 * measured.old_rate:.3f} %", f"{100 * measured.new_rate:.3f} %"


def _name(compared: Comparison, label: int) -> str | None:
    """None for no valid answer, and for an id that is no class: any name might be a class's."""
    return compared.classes[label] if label < len(compared.classes) else None


def _shown(score: Difference) -> tuple[str, str, str, str]:
    old, new = (_number(value) for value in (score.old, score.new))
    change = "-" if math.isnan(score.change) else f"{score.change:+.4f}"
    interval = "-" if math.isnan(score.low) else f"{score.low:+.4f} to {score.high:+.4f}"
    return old, new, change, interval


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
