"""`segtool bench`: a model file's latency on this machine, as a table and as JSON."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from runtime.spec import ModelSpec

EXAMPLES = """\b
Examples:
  segtool bench runs/a/model.onnx
  segtool bench runs/a/model.fp16.onnx --data cityscapes_pairs.zip --json bench.json
  segtool bench runs/a/model.onnx --provider cpu --threads 1 --frames 7000

\b
Frames are what the file's camera delivers: with --data each picture is turned into that, and fills the crop where
there is one. A file for batches is timed by the call.

\b
A percentile is shown only where there are frames enough for it:
p50 needs 11, p90 64, p99 662, p99.9 6636 (MLPerf's early stopping, 99 % confidence)."""


@click.command(epilog=EXAMPLES, short_help="Measure a model file's latency on this machine.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.option("--data", metavar="DATA", type=click.Path(path_type=Path), help="Real frames; seeded noise without it.")
@click.option("--split", default="val", show_default=True, help="Which of DATA's splits.")
@click.option("--frames", default=1000, show_default=True, type=click.IntRange(min=1), help="Frames to measure.")
@click.option(
    "--warmup", default=20, show_default=True, type=click.IntRange(min=0), help="Frames before, not measured."
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Threads of the CPU provider.  [default: one per usable core]"
)
@click.option("--provider", default="auto", show_default=True, help="auto, cpu, cuda, ...: one named runs or fails.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the noise, or of the choice of frames."
)
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write the record there."
)
def bench(
    file: Path,
    data: Path | None,
    split: str,
    frames: int,
    warmup: int,
    threads: int | None,
    provider: str,
    seed: int,
    json_file: Path | None,
) -> None:
    """Measure FILE.onnx frame by frame: percentiles, frames per second, and the machine they belong to."""
    from benchmarks.latency import measure_latency
    from benchmarks.machine import machine_record, usable_cores
    from benchmarks.report import bench_record, bench_rows
    from runtime.options import EngineOptions
    from runtime.segmenter import Segmenter
    from segtool.console import show_table
    from trainer.json_file import write_json

    machine = machine_record()  # first: the load average must not be this command's own
    before = time.perf_counter()
    options = EngineOptions(threads=threads or usable_cores())
    with Segmenter(file, provider, options=options, warmup_frames=0, self_test=False) as segmenter:
        load_ms = (time.perf_counter() - before) * 1e3
        images, frames_from = _frames(segmenter.spec, data, split, frames, seed)
        run = measure_latency(segmenter, images, frames, warmup)
        record = bench_record(segmenter, file, run, frames_from=frames_from, load_ms=load_ms, machine=machine)
    show_table(f"bench {file.name}", ("", ""), bench_rows(record))  # first: a full disk must not lose what was measured
    if json_file is not None:
        write_json(json_file, record)


def _frames(
    spec: "ModelSpec", data: Path | None, split: str, count: int, seed: int
) -> tuple[list["npt.NDArray[np.uint8]"], str]:
    """Returns arrays as `segment` takes them, and where they came from in words."""
    from benchmarks.latency import noise_frames, real_frames
    from trainer.data.dataset import open_dataset

    if data is None:
        return noise_frames(spec, count, seed), f"uniform noise, seed {seed}"
    dataset = open_dataset(data, spec.label_space)
    return real_frames(dataset, split, spec, count, seed), f"{data.name}, {split}, seed {seed}"
