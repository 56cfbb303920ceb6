"""`segtool pack`: frames and what the trained network says of them, for a proof on a computer without torch."""

import shlex
from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  segtool pack runs/a --data cityscapes_pairs.zip --out PACK.zip
  segtool pack runs/a --for runs/a/front.onnx --frames 500 --out PACK.zip
and on the target computer:
  segtool parity front.onnx --pack PACK.zip --provider tensorrt --record front.record.json

A pack holds frames of the data set: its licence binds the pack too, and frames of streets show faces and plates."""


@click.command(epilog=EXAMPLES, short_help="Write down what a run says of real frames, for a proof on the target.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--data", metavar="DATA", type=click.Path(path_type=Path), help="Its val split is packed.  [default: the run's own]"
)
@click.option("--frames", default=200, show_default=True, metavar="N", help="Spread evenly over the split.")
@click.option(
    "--for",
    "like",
    metavar="FILE.onnx",
    type=click.Path(path_type=Path),
    help="Take the camera and the size of the labels from this file.  [default: RGB of the network's size]",
)
@click.option("--out", required=True, metavar="PACK.zip", type=click.Path(path_type=Path), help="The pack.")
def pack(*, run: Path, data: Path | None, frames: int, like: Path | None, out: Path) -> None:
    """Write frames, truth and the answers of RUN's best checkpoint (fp32 PyTorch) into one zip.

    `segtool parity FILE.onnx --pack PACK.zip` then proves a file without torch and without the data set, with the
    verdict for each class that the export gave.
    """
    from runtime.errors import UsageError
    from runtime.model_file import load_model_file
    from segtool.console import say

    if like is not None and like.resolve() == out.resolve():
        raise UsageError(f"--out {out}: expected another file than --for names, got the same; give another name")
    spec = load_model_file(like).spec if like is not None else None  # before torch: a wrong path is told at once
    from export.proof.pack_run import LICENCE_NOTE, write_pack

    written = write_pack(run, data, out, frames=frames, like=spec)
    height, width = written.spec.labels_shape
    say(f"pack    {written.path} ({written.size_bytes / 1e6:.1f} MB, {written.frames} frames)")
    say(f"sha256  {written.sha256}")
    say(f"for     {written.spec.layout} frames, {width}x{height} labels, {len(written.spec.classes)} classes")
    say(f"next    {shlex.join(['segtool', 'parity', 'FILE.onnx', '--pack', str(written.path)])}")
    say(LICENCE_NOTE)
