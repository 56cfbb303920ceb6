"""The flags of `segtool bench`, in sections, and which of them each scenario reads. Imports no engine."""

from collections.abc import Mapping
from pathlib import Path

import click

from segtool.sections import name_list, percent, size_list, whole_list

FILE = click.Path(path_type=Path)

FRAMES = [
    click.Option(["--data"], metavar="DATA", type=FILE, help="Real frames, and the IoU of each file.  [noise]"),
    click.Option(["--split"], default="val", show_default=True, help="Which of DATA's splits."),
    click.Option(
        ["--seed"],
        default=0,
        show_default=True,
        type=click.IntRange(min=0),
        help="Of the noise, the choice of frames and the resampling.",
    ),
    click.Option(["--frames"], type=click.IntRange(min=1), metavar="N", help="To measure.  [by scenario]"),
    click.Option(["--warmup"], type=click.IntRange(min=0), metavar="N", help="Before, not measured.  [20; sweep 3]"),
    click.Option(["--min-duration-s"], type=click.FloatRange(min=0), help="Go on at least so long.  [0]"),
    click.Option(["--repeats"], type=click.IntRange(min=1), metavar="N", help="Starts, or rounds.  [5, 10, 3, 30]"),
]
ENGINE = [
    click.Option(
        ["--provider", "providers"],
        default="auto",
        show_default=True,
        callback=name_list,
        metavar="NAME[,NAME]",
        help="auto, cpu, cuda, ...: one named runs or fails; a sweep takes several.",
    ),
    click.Option(["--cache"], metavar="FOLDER", type=FILE, help="For --provider tensorrt: of `segtool build`."),
    click.Option(
        ["--threads"],
        callback=whole_list,
        metavar="N[,N]",
        help="Of the CPU provider; a sweep takes several.  [one per usable core]",
    ),
]
CAMERA = [
    click.Option(["--rate"], type=click.FloatRange(0, 1000, min_open=True), help="Frames per second.  [30]"),
    click.Option(
        ["--budget-ms"],
        type=click.FloatRange(0, min_open=True),
        help="From capture to labels; given, it is a gate.  [a period]",
    ),
    click.Option(["--cameras"], type=click.IntRange(1, 64), metavar="N", help="On one engine.  [1]"),
    click.Option(["--load"], metavar="cpu=N,gpu=SHARE", help="Busy work beside the measurement.  [none]"),
]
SOME = [
    click.Option(
        ["--ready-budget-ms"], type=click.FloatRange(0, min_open=True), help="A gate on the time from start to mask."
    ),
    click.Option(["--run"], type=FILE, help="Training folder that the file came from: for PyTorch, and for --sizes."),
    click.Option(["--sizes"], callback=size_list, metavar="WxH,WxH", help="Measure --run at these sizes as well."),
    click.Option(["--peers"], metavar="NAME,NAME", help="Only these engines.  [all that are installed]"),
]
OUTPUT = [
    click.Option(["--json", "json_file"], metavar="FILE", type=FILE, help="Also write the record."),
    click.Option(["--html"], metavar="FILE", type=FILE, help="Also write a page: headline, charts, machine."),
    click.Option(
        ["--with", "earlier"], metavar="JSON", type=FILE, multiple=True, help="Earlier records, onto that page."
    ),
    click.Option(
        ["--markdown"], metavar="FILE", type=FILE, help="Also renew its table between <!-- bench:SCENARIO --> marks."
    ),
    click.Option(["--save"], metavar="FILE", type=FILE, help="Write a baseline: the record, the files beside it."),
    click.Option(["--against"], metavar="FILE", type=FILE, help="A baseline, or the old model file: be no slower."),
    click.Option(
        ["--max-slowdown"],
        callback=percent,
        metavar="P%",
        help="With --against: fail unless a larger slowdown is ruled out.  [5%]",
    ),
    click.Option(["--allow-different"], is_flag=True, help="Compare with another machine's or setting's baseline."),
]
SECTIONS = {
    "Frames": FRAMES,
    "Engine": ENGINE,
    "camera (--budget-ms and --load: single-stream, too)": CAMERA,
    "cold-start, sweep, peers": SOME,
    "Records and gates": OUTPUT,
}

# what a scenario has no use for is refused: a flag that does nothing would be believed
READ_BY: Mapping[str, tuple[str, ...]] = {
    "single-stream": ("cache", "seed", "frames", "warmup", "min_duration_s", "budget_ms", "load"),
    "camera": ("cache", "seed", "frames", "warmup", "rate", "budget_ms", "cameras", "load"),
    "offline": ("cache", "seed", "frames", "warmup", "repeats"),
    "cold-start": ("cache", "repeats", "ready_budget_ms"),
    "soak": ("cache", "seed", "frames", "warmup", "min_duration_s"),
    "sweep": ("cache", "frames", "warmup", "repeats", "run", "sizes"),
    "stages": ("cache", "seed", "frames", "warmup"),
    "peers": ("seed", "frames", "warmup", "repeats", "run", "peers"),
}
SPECIAL = frozenset(name for names in READ_BY.values() for name in names)
