"""`segtool export`: one call, then what was proven."""

import shlex
from pathlib import Path

import click

from segtool.console import say, show_table

EXAMPLES = """\b
Examples:
  segtool export runs/a                   -> runs/a/model.onnx
  segtool export runs/a --fp16            -> runs/a/model.fp16.onnx
  segtool export runs/a --fp16 --out vehicle/front.onnx --parity-data other_frames.zip"""


@click.command(epilog=EXAMPLES, short_help="Turn a run into one ONNX file, with proof.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--fp16", "half", is_flag=True, help="Weights and arithmetic in half precision; bytes at both ends.")
@click.option("--out", type=click.Path(path_type=Path), help="The file; RUN/model.onnx or RUN/model.fp16.onnx.")
@click.option("--parity-data", type=click.Path(path_type=Path), help="Prove it on this data set, not on the run's own.")
@click.option("--frames", type=int, default=200, show_default=True, help="Validation frames to prove it on.")
@click.option("--provider", default="auto", show_default=True, help="ONNX Runtime provider that runs the proof.")
def export(run: Path, half: bool, out: Path | None, parity_data: Path | None, frames: int, provider: str) -> None:
    """Export RUN's best checkpoint as one ONNX file, proven against the trained network on real frames.

    Exit 1 where the proof fails: the file then keeps the name FILE.rejected.
    """
    from export.pipeline import export_run

    result = export_run(run, half=half, out=out, parity_data=parity_data, frames=frames, provider=provider)
    parity, gates = result.parity, result.parity.gates
    drop = parity.reference.mean_iou - parity.candidate.mean_iou
    show_table(
        f"parity on {parity.frames} frames, {parity.provider}: passed",
        ["", "measured", "gate"],
        [
            ["label agreement", f"{parity.agreement:.4%}", f">= {gates.agreement:.2%}"],
            ["mean IoU, network", f"{parity.reference.mean_iou:.4f}", ""],
            ["mean IoU, file", f"{parity.candidate.mean_iou:.4f}", f"drop {drop:+.4f} <= {gates.mean_iou_drop}"],
            ["largest logit error", f"{parity.logit_error_max:.2g}", "finite"],
            ["mean logit error", f"{parity.logit_error_mean:.2g}", ""],
        ],
    )
    say(f"model   {result.model} ({result.size_bytes / 1e6:.2f} MB)")
    say(f"report  {result.report}")
    say(f"next    {shlex.join(['segtool', 'bench', str(result.model)])}")
