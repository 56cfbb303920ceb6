"""`segtool stream`: a recording or a camera through a model file at a camera's pace. See segtool/replay/."""

from pathlib import Path

import click

from segtool.engine_flags import CACHE, engine_options

USUAL_RATE_HZ = 30.0

EXAMPLES = """\b
Examples:
  segtool stream model.onnx --source cityscapes_pairs.zip --split val --rate 30 --show-stats
  segtool stream model.onnx --source drive.mp4 --video overlay.mp4 --json stream.json
  segtool stream model.fp16.onnx --source frames/ --cameras 6 --rate 10 --limit 1000 --max-misses 0.001
  segtool stream model.onnx --source camera:0 --show-stats

\b
Every frame ends in one count: ok; late (answered over --budget-ms old); dropped (a newer one came before its turn);
stale (over --max-age-ms old at its turn); invalid (no valid answer); failed (the engine raised, or hung for a second).
Age is counted from a frame's place in the recording, which is played on its own clock; a camera's from its arrival.

\b
Of a data set the photos alone are shown. Writing results takes cores from the engine: leave it out where you measure.
Video and cameras need the extra `video`: PyAV (BSD-3-Clause). Its packages bring FFmpeg (LGPL) and further codecs under
their own licences, x264 and x265 (GPL) among them: see to these before you pass them on."""


@click.command(epilog=EXAMPLES, short_help="Play a recording through a model file at a camera's pace.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.option("--source", required=True, metavar="FOLDER|ZIP|VIDEO|camera:0", help="What the camera sees.")
@click.option("--split", help="Of a data set: only this one of its splits.  [default: all]")
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    help="Frames per second of each camera; asked of a camera:0.  [default: a video's own, else 30]",
)
@click.option("--cameras", default=1, show_default=True, type=click.IntRange(1, 64), help="All show the same frames.")
@click.option(
    "--budget-ms", default=33.3, show_default=True, type=click.FloatRange(0, min_open=True), help="Late beyond it."
)
@click.option(
    "--max-age-ms",
    default=100.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Stale beyond it.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="End after N frames of each camera.")
@click.option("--loop", is_flag=True, help="Begin again at the end, until --limit or Ctrl-C.")
@click.option("--provider", default="auto", show_default=True, help="auto, cpu, cuda, ...: one named runs or fails.")
@CACHE
@click.option("--threads", type=click.IntRange(min=1), help="Of the CPU provider.  [default: one per usable core]")
@click.option(
    "--show-stats",
    is_flag=True,
    help="A live line on stderr, where that is a terminal: pace, ages, misses, drops, health.",
)
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path), help="Write each frame's label PNG there.")
@click.option("--overlay", is_flag=True, help="Beside each also NAME.overlay.png: the classes' colours over the frame.")
@click.option("--video", metavar="FILE.mp4", type=click.Path(path_type=Path), help="Write the overlays as a video.")
@click.option("--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write the counters.")
@click.option(
    "--max-misses", type=click.FloatRange(0, 1), metavar="SHARE", help="Exit 1 where more frames than this end not ok."
)
def stream(
    *,
    file: Path,
    source: str,
    split: str | None,
    rate: float | None,
    cameras: int,
    budget_ms: float,
    max_age_ms: float,
    limit: int | None,
    loop: bool,
    provider: str,
    cache: Path | None,
    threads: int | None,
    show_stats: bool,
    out: Path | None,
    overlay: bool,
    video: Path | None,
    json_file: Path | None,
    max_misses: float | None,
) -> None:
    """Play a recording, or a camera, through FILE.onnx at a camera's pace, and account for every frame.

    Results written are those of the first camera: OUT/NAME.png as `segtool predict` writes them.
    """
    from benchmarks.machine import usable_cores
    from segtool.console import show_table
    from segtool.places import require_writable
    from segtool.replay.job import end_as_it_went, replay_file
    from segtool.replay.player import ReplaySettings
    from segtool.replay.record import stream_rows
    from segtool.replay.recording import open_recording
    from segtool.replay.sinks import Wanted
    from trainer.json_file import write_json

    require_writable(json_file, video, None if out is None else out / "frame.png", read=(file, Path(source)))
    options = engine_options(provider, cache, threads or usable_cores())
    recording = open_recording(source, rate_hz=rate, split=split)
    settings = ReplaySettings(
        rate_hz=rate or recording.rate_hz or USUAL_RATE_HZ,
        budget_ms=budget_ms,
        max_age_ms=max_age_ms,
        cameras=cameras,
        limit=limit,
        loop=loop,
        show_stats=show_stats,
    )
    wanted = Wanted(out=out, overlay=overlay, video=video)
    finished = replay_file(file, provider, options, recording, settings, wanted)
    show_table(f"stream {file.name}", ("", ""), stream_rows(finished.record))  # first: a full disk must not lose it
    if json_file is not None:
        write_json(json_file, finished.record)
    end_as_it_went(finished, max_misses)
