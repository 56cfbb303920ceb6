"""`segtool eval`: a run's or a model file's scores on a data set. A model file is scored without torch."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from segtool.engine_flags import CACHE, engine_options
from segtool.sections import number_list

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from benchmarks.sized_frames import Predict
    from runtime.options import EngineOptions
    from trainer.data.dataset import Dataset
    from trainer.data.label_space import LabelSpace
    from trainer.tally import Tally

SCHEMA_VERSION = 1

EXAMPLES = """\b
Examples:
  segtool eval runs/a cityscapes_pairs.zip
  segtool eval runs/a cityscapes_pairs.zip --flip --scales 0.75,1,1.25
  segtool eval runs/a/model.fp16.onnx cityscapes_pairs.zip --json eval.json --confusion eval.png
  segtool eval runs/a/model.onnx cityscapes_pairs.zip --provider cpu --split train --robustness

Scores are at the size of the label map (a RUN's is the network's), from one confusion matrix of the whole split; a
class that is absent is left out of the mean. A predicted 255 (no valid answer) on a valid pixel counts as wrong.
For a FILE.onnx of a camera each picture is turned into what that camera delivers; with a crop the whole picture fills
the crop, the only part that is labelled."""

Sizes = tuple[tuple[int, int], tuple[int, int]]  # height and width of the image and of the labels
Scored = tuple["Tally", "LabelSpace", dict[str, object]]  # counts, classes, what the record says beside them


@click.command("eval", epilog=EXAMPLES, short_help="Score a run or a model file on a data set.")
@click.argument("subject", metavar="RUN|FILE.onnx", type=click.Path(path_type=Path))
@click.argument("data", metavar="DATA", type=click.Path(path_type=Path))
@click.option("--split", default="val", show_default=True, help="Which of DATA's splits.")
@click.option("--provider", help="For a FILE.onnx: auto, cpu, cuda, ...  [default: auto]")
@CACHE
@click.option("--flip", is_flag=True, help="For a RUN: average with the mirrored frame; says what it costs.")
@click.option("--scales", callback=number_list, metavar="S,S,...", help="For a RUN: average over these sizes as well.")
@click.option(
    "--robustness", is_flag=True, help="Also the mean IoU over brightness, gamma and blur (12 times the time)."
)
@click.option("--by-size", is_flag=True, help="Also recall and IoU of small, medium and large objects of each class.")
@click.option(
    "--confusion",
    metavar="FILE.png",
    type=click.Path(path_type=Path),
    help="Also draw the confusion matrix: for each class, what its pixels were taken for.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the scores and the confusion matrix there.",
)
def evaluate(
    *,
    subject: Path,
    data: Path,
    split: str,
    provider: str | None,
    cache: Path | None,
    flip: bool,
    scales: tuple[float, ...] | None,
    robustness: bool,
    by_size: bool,
    confusion: Path | None,
    json_file: Path | None,
) -> None:
    """Score a training run (its best checkpoint, needs torch) or a model file (no torch) on DATA."""
    from benchmarks.accuracy import SCORE_COLUMNS, score_rows
    from runtime.errors import DataError
    from segtool.console import say, show_table
    from segtool.places import require_writable

    views = flip or scales is not None
    extras = tuple(name for name, asked in {"robustness": robustness, "by_size": by_size}.items() if asked)
    _require_sense(subject, provider, confusion, views=views, extras=extras)
    require_writable(confusion, json_file, read=(subject, data))
    options = engine_options(provider, cache)
    if not subject.is_dir():
        tally, space, facts = _score_file(subject, data, split, provider or "auto", options, extras)
    elif views:
        tally, space, facts = _score_views(subject, data, split, flip=flip, scales=scales or (1.0,))
    else:
        tally, space, facts = _score_run(subject, data, split, extras)
    result = tally.scores()
    if not result.pixels:
        raise DataError(f"{data}: expected labelled pixels in split {split}, found none; try segtool data inspect")
    title = f"{subject} on {data}, {split}"
    show_table(title, SCORE_COLUMNS, score_rows(result, tuple(space.classes)))
    by = f", by {facts['provider']}" if "provider" in facts else ""
    say(f"pixel accuracy {100 * result.pixel_accuracy:.2f} % of {result.pixels:,} valid pixels{by}")
    say(f"{tally.invalid_frames:,} of {tally.frames:,} frames have a pixel without a valid answer (255)")
    _write_files(tally, space, {**facts, "data": data.name, "split": split}, title, confusion, json_file)


def _write_files(
    tally: "Tally",
    space: "LabelSpace",
    facts: dict[str, object],
    title: str,
    confusion: Path | None,
    json_file: Path | None,
) -> None:
    """Writes what was asked for; last of all, so that a full disk does not lose what was measured."""
    from benchmarks.accuracy import tally_record
    from benchmarks.confusion_picture import draw_confusion
    from runtime.files import write_whole
    from trainer.json_file import write_json

    if json_file is not None:
        counted = tally_record(tally, tuple(space.classes))
        write_json(json_file, {"schema_version": SCHEMA_VERSION, "kind": "eval", **facts, **counted})
    if confusion is not None:
        write_whole(confusion, draw_confusion(tally.confusion, space, title=title))


def _require_sense(
    subject: Path, provider: str | None, confusion: Path | None, *, views: bool, extras: tuple[str, ...]
) -> None:
    """Refuses options that do not go with the subject or with each other.

    Raises:
        UsageError: there is one.
        ModelFileError: there is no subject.
    """
    from runtime.errors import ModelFileError, UsageError

    if confusion is not None and confusion.suffix.lower() != ".png":
        raise UsageError(f"--confusion {confusion}: the picture is a PNG, got {confusion.name!r}; name it FILE.png")
    if not subject.exists():
        raise ModelFileError(f"{subject}: expected a run's folder or a FILE.onnx, found nothing there; check the path")
    if subject.is_dir() and provider is not None:
        raise UsageError(
            f"{subject}: a run is scored by PyTorch, got --provider {provider}; leave it out, or give a FILE.onnx"
        )
    if subject.is_file() and views:
        raise UsageError(
            f"{subject}: --flip and --scales average what a RUN's network says, got a file, whose graph answers one "
            "frame of one size; leave them out, or give the run's folder"
        )
    if views and extras:
        raise UsageError(
            f"--{extras[0].replace('_', '-')} measures one view of a frame, got --flip or --scales with it; "
            "give one of the two"
        )


def _score_run(run: Path, data: Path, split: str, extras: tuple[str, ...]) -> Scored:
    from trainer.evaluate import evaluate_run, frame_labels, open_run  # imports torch: after what needs none

    trained, dataset = open_run(run, data)
    tally = evaluate_run(trained, dataset, split)
    size = (trained.config.height_px, trained.config.width_px)
    more = _extras(extras, frame_labels(trained), dataset, (size, size), split)
    return tally, dataset.label_space, {"run": run.name, **more}


def _score_views(run: Path, data: Path, split: str, *, flip: bool, scales: tuple[float, ...]) -> Scored:
    from segtool.console import show_table
    from trainer.evaluate import evaluate_views, open_run
    from trainer.views import Views

    views = Views(flip=flip, scales=scales)
    trained, dataset = open_run(run, data)
    done = evaluate_views(trained, dataset, split, views)
    plain_iou, averaged_iou = done.plain.scores().mean_iou, done.averaged.scores().mean_iou
    name = f"scales {', '.join(f'{scale:g}' for scale in scales)}{', mirrored too' if flip else ''}"
    rows = [
        ("one view", 1, f"{plain_iou:.4f}", f"{done.plain_ms:.1f}", "1.0"),
        (name, views.count, f"{averaged_iou:.4f}", f"{done.averaged_ms:.1f}", f"{done.cost:.1f}"),
    ]
    show_table("what averaging gives, and costs", ("views", "runs", "mean IoU", "ms/frame", "times the cost"), rows)
    facts: dict[str, object] = {
        "run": run.name,
        "flip": flip,
        "scales": list(scales),
        "ms_per_frame": done.averaged_ms,
        "one_view": {"mean_iou": plain_iou, "ms_per_frame": done.plain_ms},
    }
    return done.averaged, dataset.label_space, facts


def _score_file(
    file: Path, data: Path, split: str, provider: str, options: "EngineOptions", extras: tuple[str, ...]
) -> Scored:
    from benchmarks.accuracy import evaluate_file
    from benchmarks.labelling import picture_size
    from benchmarks.model_facts import model_facts
    from runtime.engine.providers import precision_notes
    from runtime.errors import UsageError
    from runtime.segmenter import Segmenter
    from trainer.data.camera_frames import as_camera_frame
    from trainer.data.dataset import open_dataset

    with Segmenter(file, provider, options=options) as segmenter:
        spec = segmenter.spec
        if extras and spec.batch > 1:
            raise UsageError(
                f"--{extras[0].replace('_', '-')} measures frame by frame, got {file}, which takes {spec.batch} at "
                "once; give a file exported with --batch 1"
            )
        dataset = open_dataset(data, spec.label_space)
        tally = evaluate_file(segmenter, dataset, split)
        notes = list(precision_notes(segmenter.provider, spec.precision))
        facts = {**model_facts(spec, file, segmenter.sha256), "provider": segmenter.provider, "notes": notes}

        def predict(image_hwc: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.uint8]":
            return segmenter.segment(as_camera_frame(image_hwc, spec)).labels

        sizes = (picture_size(spec), spec.labels_shape)
        facts.update(_extras(extras, predict, dataset, sizes, split))
    return tally, dataset.label_space, facts


def _extras(
    extras: tuple[str, ...], predict: "Predict", dataset: "Dataset", sizes: Sizes, split: str
) -> dict[str, object]:
    """Measures what else was asked for, prints the tables, and returns what the record says."""
    measure = {"robustness": _robustness, "by_size": _by_size}
    return {name: measure[name](predict, dataset, sizes, split) for name in extras}


def _by_size(predict: "Predict", dataset: "Dataset", sizes: Sizes, split: str) -> list[dict[str, object]]:
    from benchmarks.by_size import BY_SIZE_COLUMNS, by_size_record, by_size_rows, measure_by_size
    from segtool.console import show_table

    result, classes = measure_by_size(predict, dataset, *sizes[0], split, sizes[1]), tuple(dataset.label_space.classes)
    show_table("by the size of objects", BY_SIZE_COLUMNS, by_size_rows(result, classes))
    return by_size_record(result, classes)


def _robustness(predict: "Predict", dataset: "Dataset", sizes: Sizes, split: str) -> list[dict[str, object]]:
    from benchmarks.robustness import ROBUSTNESS_COLUMNS, measure_robustness, robustness_record, robustness_rows
    from segtool.console import show_table

    results = measure_robustness(predict, dataset, *sizes[0], split, sizes[1])
    show_table("in other light, and out of focus", ROBUSTNESS_COLUMNS, robustness_rows(results))
    return robustness_record(results, tuple(dataset.label_space.classes))
