"""`segtool data`: look into a data set, or write a synthetic one. Works without torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trainer.data.dataset import Dataset
    from trainer.data.inspection_report import DataReport

SCHEMA_VERSION = 1
SHOWN_PROBLEMS = 20
PANEL_ROWS = 3  # of train, and as many of val

EXAMPLES = """\b
Examples:
  segtool data inspect cityscapes_pairs.zip
  segtool data synth scenes --count 64"""

INSPECT_EXAMPLES = """\b
Examples:
  segtool data inspect cityscapes_pairs.zip
  segtool data inspect cityscapes_pairs.zip --label-space cityscapes --json report.json
  segtool data inspect camvid.zip --panel camvid.png
  segtool data inspect big_set --limit 200

\b
DATA, a folder or .zip, is recognised by its names:
  pairs       train/1.jpg, val/1.jpg: photo left, colour mask right
  cityscapes  leftImg8bit/train/CITY/*_leftImg8bit.png, gtFine/train/CITY/*_gtFine_labelIds.png
  camvid      train/1.jpg, trainannot/1.png, val/.., valannot/..: ids 0 to 10, 11 unlabelled
  folder      images/train/1.jpg, masks/train/1.png (or train/images, train/masks), and classes.toml

\b
classes.toml of a folder:
  name = "yard"              # of the label space, "own" if left out
  ignore_ids = [255]         # or ignore_colours = [[0, 0, 0]]
  [[classes]]
  name = "road"
  ids = [7, 300]             # palette indices, grey or 16-bit values; or colours = [[128, 64, 128]]
  palette = [128, 64, 128]   # to draw it with, may be left out

Exits with 3 where training or its score would go wrong: a file that can't be read, a photo without a mask, a mask
value that means nothing, no frame in train or val, the same photo in two splits (re-encoded and resized copies are
found too). The report is printed all the same."""

SYNTH_EXAMPLES = """\b
Examples:
  segtool data synth scenes
  segtool data synth scenes --count 500 --size 128 --seed 7 --val-share 0.1

The same seed gives the same scenes. They are image pairs, as in Cityscapes pairs: photo left, colour mask right."""


@click.group(epilog=EXAMPLES)
def data() -> None:
    """Look into a data set, or write a synthetic one."""


@data.command(epilog=INSPECT_EXAMPLES)
@click.argument("path", metavar="DATA", type=click.Path(path_type=Path))
@click.option(
    "--label-space",
    metavar="NAME",
    help="What to count classes of: categories (default), cityscapes or names for both Cityscapes layouts; "
    "CamVid and a folder have one only.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Read at most N frames of each split.")
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write the report there."
)
@click.option(
    "--panel", "panel_file", metavar="FILE.png", type=click.Path(path_type=Path), help="Also draw some frames there."
)
def inspect(
    path: Path, label_space: str | None, limit: int | None, json_file: Path | None, panel_file: Path | None
) -> None:
    """Tell what is in DATA (a folder or .zip): layout, splits, sizes, class shares, problems."""
    from runtime.files import write_whole
    from trainer.data.dataset import open_dataset
    from trainer.data.inspection import inspect_dataset
    from trainer.json_file import write_json

    dataset = open_dataset(path, label_space)
    report = inspect_dataset(dataset, limit)
    _show(report)
    if json_file is not None:
        write_json(json_file, {"schema_version": SCHEMA_VERSION, "kind": "data", **report.to_json()})
    if panel_file is not None and (picture := _draw(dataset)) is not None:
        write_whole(panel_file, picture)
    report.require_usable()


@data.command(epilog=SYNTH_EXAMPLES)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=2), default=64, show_default=True, help="Scenes in all.")
@click.option("--size", type=click.IntRange(min=32, max=1024), default=256, show_default=True, help="Pixels a side.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which scenes.")
@click.option(
    "--val-share",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="How many of them go to val.",
)
def synth(out: Path, count: int, size: int, seed: int, val_share: float) -> None:
    """Write synthetic street scenes with exact labels to the folder OUT (OUT/train, OUT/val)."""
    from segtool.console import say
    from trainer.data.synthetic import write_scenes

    write_scenes(out, count, size, seed, val_share)
    say(f"{out}: {count} scenes of {size}x{size}, seed {seed}")


def _draw(dataset: "Dataset") -> bytes | None:
    """A panel of photos and labels from train and val; None where no frame of those chosen can be read."""
    from runtime.errors import DataError
    from trainer.data.dataset import spread_evenly
    from trainer.panel import PanelRow, draw_panel

    rows = []
    for split in ("train", "val"):
        names = dataset.splits[split]
        for index in spread_evenly(len(names), PANEL_ROWS) if names else ():
            try:
                frame = dataset.read(split, index)
            except DataError:
                continue  # the report names it
            rows.append(PanelRow(image_hwc=frame.image_hwc, truth_hw=frame.labels_hw))
    title = f"{dataset.path.name}: layout {dataset.layout}, label space {dataset.label_space.name}"
    return draw_panel(rows, dataset.label_space, title=title) if rows else None


def _show(report: "DataReport") -> None:
    from segtool.console import say, show_table

    say(f"{report.path}: layout {report.layout}, label space {report.label_space}")
    say()
    show_table("Splits", ("split", "frames", "read", "photo sizes"), list(_split_rows(report)))
    if any(split.read for split in report.splits):
        show_table("Classes", ("label", "class", "share", "frames", "made up of"), list(_class_rows(report)))
        say(f"{100 * report.ignored_share:.2f} % of all pixels read are ignored (label 255); shares are of the others")
        if unseen := report.never_in_train():
            say(f"never in the frames read of train: {', '.join(unseen)}")
    if not report.problems:
        say("no problems found")
        return
    rows = [(problem.kind, problem.text) for problem in report.problems[:SHOWN_PROBLEMS]]
    show_table(f"Problems: {len(report.problems)}", ("kind", "what"), rows)
    if len(report.problems) > SHOWN_PROBLEMS:
        say(f"{len(report.problems) - SHOWN_PROBLEMS} more; --json FILE lists them all")


def _split_rows(report: "DataReport") -> Iterator[tuple[str, ...]]:
    for split in report.splits:
        sizes = ", ".join(f"{size} ({count})" for size, count in sorted(split.sizes.items()))
        yield split.name, str(split.frames), str(split.read), sizes or "-"


def _class_rows(report: "DataReport") -> Iterator[tuple[str, ...]]:
    for label, each in enumerate(report.classes):
        made_up_of = "" if each.members == (each.name,) else ", ".join(each.members)
        yield str(label), each.name, f"{100 * each.share:.2f} %", str(each.frames), made_up_of
