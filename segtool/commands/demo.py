"""`segtool demo`: the whole job on synthetic scenes, as the very commands that a user would type, then a summary."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from segtool.console import say, show_table

EXAMPLES = """\b
Examples:
  segtool demo
  segtool demo --out /tmp/demo --epochs 3"""

PHOTOS, PHOTO_SEED = 4, 1  # the data set is drawn from seed 0
MARKER = ".segtool-demo"  # says that a folder was made by the demo and may be made anew


@click.command(epilog=EXAMPLES, short_help="The whole job on synthetic scenes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo-run"),
    show_default=True,
    help="Folder for everything; one that an earlier demo made is made anew.",
)
@click.option("--count", type=click.IntRange(min=10), default=400, show_default=True, help="Synthetic scenes.")
@click.option("--size", type=int, default=128, show_default=True, help="Side of the square scenes in pixels.")
@click.option("--epochs", type=int, default=15, show_default=True)
def demo(out: Path, count: int, size: int, epochs: int) -> None:
    """Generate scenes, train, export with parity, evaluate and bench: minutes on two CPU cores, no download."""
    started = time.perf_counter()
    _start_folder(out)
    _write_photos(out / "photos", size)
    scenes, run = out / "scenes", out / "run"
    fp32, fp16 = run / "model.onnx", run / "model.fp16.onnx"
    for arguments in (
        ["data", "synth", scenes, "--count", count, "--size", size],
        ["data", "inspect", scenes],
        ["train", scenes, "--out", run, "--size", size, "--epochs", epochs, "--lr", "2e-3"],
        ["export", run],
        ["export", run, "--fp16"],
        ["eval", run, scenes, "--json", out / "eval.run.json"],
        ["eval", fp16, scenes, "--json", out / "eval.fp16.json"],
        ["predict", fp16, out / "photos", "--out", out / "labels", "--overlay"],
        ["bench", fp32, "--data", scenes, "--json", out / "bench.fp32.json"],
        ["bench", fp16, "--data", scenes, "--json", out / "bench.fp16.json"],
    ):
        _step([str(argument) for argument in arguments])
    _summarise(out, time.perf_counter() - started)


def _start_folder(out: Path) -> None:
    from runtime.errors import UsageError
    from runtime.files import write_whole

    if out.is_dir() and (out / MARKER).exists():
        shutil.rmtree(out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is there already and was not made by a demo; give another folder to --out")
    write_whole(out / MARKER, b"made by segtool demo; the next demo with this --out replaces the folder\n")


def _write_photos(folder: Path, size_px: int) -> None:
    """Writes a few photos of scenes that the data set does not hold."""
    from runtime.files import write_whole
    from trainer.data.images import encode_png
    from trainer.data.synthetic import render_scene

    for index in range(PHOTOS):
        image_hwc, _ = render_scene(PHOTO_SEED, index, size_px)
        write_whole(folder / f"{index + 1}.png", encode_png(image_hwc))


def _step(arguments: list[str]) -> None:
    """Runs one command in this process; a failed one ends the demo with its own exit code."""
    from segtool.__main__ import run

    say(f"\n$ segtool {' '.join(arguments)}")
    sys.stdout.flush()
    code = run(arguments)
    if code != 0:
        raise click.exceptions.Exit(code)


def _summarise(out: Path, seconds: float) -> None:
    run = out / "run"
    trained, exported = _read(out / "eval.run.json"), _read(out / "eval.fp16.json")
    parity = _read(run / "model.fp16.onnx.parity.json")
    rows = [
        ["mean IoU, trained network", f"{trained['mean_iou']:.3f}", out / "eval.run.json"],
        ["mean IoU, fp16 file", f"{exported['mean_iou']:.3f}", out / "eval.fp16.json"],
        ["label agreement fp16", f"{parity['agreement']:.3%}", run / "model.fp16.onnx.parity.json"],
    ]
    for precision in ("fp32", "fp16"):
        latency = _read(out / f"bench.{precision}.json")["results"][0]["latency_ms"]["percentiles"]
        rows.append([f"latency {precision}, p50", f"{latency['p50']:.2f} ms", out / f"bench.{precision}.json"])
    rows += [
        ["pictures of each epoch", "", run / "panels"],
        ["labels and overlays", "", out / "labels"],
        ["the file for the vehicle", "", run / "model.fp16.onnx"],
    ]
    say()
    show_table(f"done in {seconds:.0f} s", ["what", "figure", "where"], rows)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
