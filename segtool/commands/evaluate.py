"""`segtool eval`: a run's or a model file's scores on a data set. A model file is scored without torch."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runtime.metrics import Scores

SCHEMA_VERSION = 1

EXAMPLES = """\b
Examples:
  segtool eval runs/a cityscapes_pairs.zip
  segtool eval runs/a/model.fp16.onnx cityscapes_pairs.zip --json eval.json
  segtool eval runs/a/model.onnx cityscapes_pairs.zip --provider cpu --split train

Scores are at the network's size, from one confusion matrix of the whole split; a class that is absent is left out
of the mean. A predicted 255 (no valid answer) on a valid pixel counts as wrong."""


@click.command("eval", epilog=EXAMPLES, short_help="Score a run or a model file on a data set.")
@click.argument("subject", metavar="RUN|FILE.onnx", type=click.Path(path_type=Path))
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option("--split", default="val", show_default=True, help="Which of DATA's splits.")
@click.option("--provider", help="For a FILE.onnx: auto, cpu, cuda, ...  [default: auto]")
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write the scores there."
)
def evaluate(subject: Path, data: Path, split: str, provider: str | None, json_file: Path | None) -> None:
    """Score a training run (its best checkpoint, needs torch) or a model file (no torch) on DATA."""
    from benchmarks.accuracy import SCORE_COLUMNS, score_record, score_rows
    from segtool.console import say, show_table
    from trainer.json_file import write_json

    if subject.is_dir():
        result, classes, facts = _score_run(subject, data, split, provider)
    else:
        result, classes, facts = _score_file(subject, data, split, provider or "auto")
    record = {
        "schema_version": SCHEMA_VERSION,
        "kind": "eval",
        **facts,
        "data": data.name,
        "split": split,
        **score_record(result, classes),
    }
    show_table(f"{subject} on {data}, {split}", SCORE_COLUMNS, score_rows(result, classes))
    say(f"pixel accuracy {100 * result.pixel_accuracy:.2f} % of {result.pixels:,} valid pixels")
    if json_file is not None:  # last: a full disk must not lose what was measured
        write_json(json_file, record)


def _score_run(
    run: Path, data: Path, split: str, provider: str | None
) -> tuple["Scores", tuple[str, ...], dict[str, object]]:
    """Returns the scores, the class names and what the record says about the run."""
    from runtime.errors import UsageError

    if provider is not None:
        raise UsageError(
            f"{run}: a run is scored by PyTorch, got --provider {provider}; leave it out, or give a FILE.onnx"
        )
    from trainer.evaluate import evaluate_run  # imports torch: after what needs none

    result, classes = evaluate_run(run, data, split)
    return result, classes, {"run": run.name}


def _score_file(
    file: Path, data: Path, split: str, provider: str
) -> tuple["Scores", tuple[str, ...], dict[str, object]]:
    """Returns the scores, the class names and what the record says about the file."""
    from benchmarks.accuracy import evaluate_file
    from benchmarks.report import run_notes
    from runtime.segmenter import Segmenter
    from trainer.data.dataset import open_dataset

    with Segmenter(file, provider) as segmenter:
        spec = segmenter.spec
        result = evaluate_file(segmenter, open_dataset(data, spec.label_space), split)
        facts: dict[str, object] = {
            "file": file.name,
            "sha256": segmenter.sha256,
            "precision": spec.precision,
            "width_px": spec.width_px,
            "height_px": spec.height_px,
            "provider": segmenter.provider,
            "notes": run_notes(segmenter.provider, spec.precision),
        }
    return result, tuple(spec.classes), facts
