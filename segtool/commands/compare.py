"""`segtool compare`: may this model take the place of that one? Class by class, on the same labelled frames."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segtool.engine_flags import CACHE, engine_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.approval.comparison import Comparison
    from benchmarks.approval.sides import Side
    from benchmarks.approval.verdict import Allowance, Verdict
    from benchmarks.approval.worst import FrameLoss
    from trainer.data.dataset import Dataset

RECORD_NAME, PICTURE_NAME = "comparison.json", "worst_frames.png"

EXAMPLES = """\b
Examples:
  segtool compare runs/a/model.onnx runs/b/model.onnx cityscapes_pairs.zip
  segtool compare front.onnx front.int8.onnx cityscapes_pairs.zip --max-drop 0.005 --out approval
  segtool compare runs/a runs/b camvid.zip --strict --json approval.json

\b
A class holds where the 95 % interval of its change (a bootstrap over frames) stays within --max-drop,
is worse where its IoU or recall fell by more than that and the interval leaves out that it did not fall,
and is not proven in between, or where it has too few pixels or frames. The mean IoU is judged likewise.
Exit 1 where something is worse; with --strict also where something is not proven.

Scores are at the size of each one's label map; changed pixels, flicker and pictures at the smaller of the two. Flicker
is the share of pixels whose label changes between frames of a video where the scene stands still, and between two
noisy exposures of one frame."""


@click.command(epilog=EXAMPLES, short_help="Approve a model against the one before it.")
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option("--split", default="val", show_default=True, help="Which of DATA's splits.")
@click.option(
    "--max-drop",
    type=float,
    default=0.01,
    show_default=True,
    metavar="X",
    help="Most that IoU or recall of a class may fall.",
)
@click.option(
    "--min-pixels", type=int, default=1000, show_default=True, metavar="N", help="Of a class, or it is not proven."
)
@click.option("--min-frames", type=int, default=10, show_default=True, metavar="N", help="That show a class, likewise.")
@click.option("--strict", is_flag=True, help="Exit 1 as well where something is not proven.")
@click.option("--provider", help="For a FILE.onnx: auto, cpu, cuda, ...  [default: auto]")
@CACHE
@click.option("--threads", type=click.IntRange(min=1), help="For a FILE.onnx: threads of the CPU provider.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of intervals and of sensor noise."
)
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Write {RECORD_NAME} and {PICTURE_NAME} there.",
)
@click.option("--worst", "pictured", default=6, show_default=True, type=click.IntRange(min=1), help="Frames in it.")
@click.option("--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Write the record there.")
def compare(
    *,
    old: Path,
    new: Path,
    data: Path,
    split: str,
    max_drop: float,
    min_pixels: int,
    min_frames: int,
    strict: bool,
    provider: str | None,
    cache: Path | None,
    threads: int | None,
    seed: int,
    out: Path | None,
    pictured: int,
    json_file: Path | None,
) -> None:
    """Compare NEW with OLD on DATA. Each is a FILE.onnx (no torch), or a RUN's folder (its best checkpoint)."""
    from benchmarks.approval.comparison import compare as compare_sides
    from benchmarks.approval.sides import open_side, require_one_meaning
    from benchmarks.approval.verdict import Allowance
    from benchmarks.approval.worst import worst_frames
    from segtool.places import require_writable
    from trainer.data.dataset import open_dataset

    _require_sense(old, new, provider, threads)
    require_writable(json_file, None if out is None else out / RECORD_NAME, read=(old, new, data))
    options = engine_options(provider, cache, threads)
    allowance = Allowance(max_drop=max_drop, min_pixels=min_pixels, min_frames=min_frames)
    with (
        open_side(old, provider or "auto", options) as old_side,
        open_side(new, provider or "auto", options) as new_side,
    ):
        require_one_meaning(old_side, new_side)
        dataset = open_dataset(data, old_side.label_space)
        compared = compare_sides(old_side, new_side, dataset, split, seed)
        verdict = compared.judged(allowance)
        worst = worst_frames(compared, allowance, pictured)
        _show(f"NEW {new} against OLD {old} on {data}, {split}", compared, verdict)
        facts = {"old": old_side.facts, "new": new_side.facts, "data": data.name, "split": split, "seed": seed}
        _write_record(compared, verdict, allowance, worst, {**facts, "strict": strict}, out, json_file)
        if out is not None:
            _draw(out / PICTURE_NAME, (old_side, new_side), dataset, split, worst, verdict)
    _decide(old, new, data, verdict, strict=strict)


def _require_sense(old: Path, new: Path, provider: str | None, threads: int | None) -> None:
    """Refuses options that have nothing to act on.

    Raises:
        UsageError: both models are runs, and an engine was chosen.
    """
    from runtime.errors import UsageError

    given = next((name for name, value in {"provider": provider, "threads": threads}.items() if value), None)
    if given is not None and old.is_dir() and new.is_dir():
        raise UsageError(
            f"--{given} is for a FILE.onnx, got the runs {old} and {new}, which PyTorch labels; leave it out"
        )


def _show(title: str, compared: "Comparison", verdict: "Verdict") -> None:
    from benchmarks.approval import record
    from segtool.console import say, show_table

    say(title)
    show_table("IoU", record.IOU_COLUMNS, record.iou_rows(compared, verdict))
    show_table("recall", record.RECALL_COLUMNS, record.recall_rows(compared, verdict))
    share = f"{100 * compared.changed.share:.3f} % of {compared.changed.pixels:,} pixels with a truth changed"
    show_table(share, record.CHANGED_COLUMNS, record.changed_rows(compared))
    show_table("flicker", record.FLICKER_COLUMNS, record.flicker_rows(compared))
    doubts = (f"not proven: {sentence}" for sentence in verdict.not_proven)
    for line in (*verdict.failures, *doubts, *(f"note: {note}" for note in compared.notes), verdict.line):
        say(line)


def _write_record(
    compared: "Comparison",
    verdict: "Verdict",
    allowance: "Allowance",
    worst: "Sequence[FrameLoss]",
    facts: dict[str, Any],
    out: Path | None,
    json_file: Path | None,
) -> None:
    from benchmarks.approval.record import comparison_record
    from benchmarks.machine import machine_record
    from trainer.json_file import write_json

    files = [file for file in (out and out / RECORD_NAME, json_file) if file is not None]
    if files:
        found = comparison_record(compared, verdict, allowance, worst, {**facts, "machine": machine_record()})
        for file in files:
            write_json(file, found)


def _draw(
    file: Path,
    sides: "tuple[Side, Side]",
    dataset: "Dataset",
    split: str,
    worst: "Sequence[FrameLoss]",
    verdict: "Verdict",
) -> None:
    """Draws the worst frames, labelled once more; nothing where none lost anything."""
    from benchmarks.approval.comparison import label_again
    from benchmarks.approval.picture import WorstFrame, draw_worst_frames
    from runtime.files import write_whole
    from segtool.console import say

    if not worst:
        file.unlink(missing_ok=True)  # an earlier comparison's
        say("no frame lost anything: there is no picture to draw")
        return
    old, new = sides
    frames = label_again(old, new, dataset, split, [loss.index for loss in worst])
    rows = [WorstFrame(frame=frame, loss=loss) for frame, loss in zip(frames, worst, strict=True)]
    notes = [f"OLD {old.where}   NEW {new.where}", verdict.line]
    title = f"where NEW lost most, every class counting alike: {dataset.path.name}, {split}"
    write_whole(file, draw_worst_frames(rows, dataset.label_space, title=title, notes=notes))
    say(f"picture {file}")


def _decide(old: Path, new: Path, data: Path, verdict: "Verdict", *, strict: bool) -> None:
    """Says no where the verdict does.

    Raises:
        GateError: something is worse than allowed, or with `strict` not proven.
    """
    from runtime.errors import GateError

    if verdict.failures or (strict and verdict.not_proven):
        raise GateError(
            f"{new}: expected no class worse than with {old} on {data}, got {verdict.line}; keep {old.name}, and "
            "look at the frames that lost most with --out FOLDER"
        )
