"""`segtool export`: flags to one call, then what was proven."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segtool.console import say
from segtool.export_flags import SECTIONS
from segtool.proof_tables import show_proof
from segtool.sections import SectionedCommand

if TYPE_CHECKING:
    from export.settings import Int8Target, Resize

EXAMPLES = """\b
Examples:
  segtool export runs/a                   -> runs/a/model.onnx
  segtool export runs/a --fp16            -> runs/a/model.fp16.onnx
  segtool export runs/a --int8            -> runs/a/model.int8.onnx, for CPUs; --int8 tensorrt for that engine
  segtool export runs/wide --fp16 --camera 1920x1208 --input nv12 --crop 0,124,1920,960 --out front.onnx
  segtool export runs/wide --camera 1920x960 --labels-at camera --confidence --out front.onnx
  segtool export runs/a --fp16 --parity-data other_frames.zip --gate agreement=0.9995

runs/wide was trained with --size 512x256; another aspect is refused, and the crop that would fit is named. Beside the
file: FILE.parity.json with every figure, FILE.parity.png with the frames that differ most."""


@click.command(cls=SectionedCommand, epilog=EXAMPLES, short_help="Turn a run into one ONNX file, with proof.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--fp16", "half", is_flag=True, help="The network in half precision; bytes at both ends.")
@click.option(
    "--int8",
    "int8_target",
    is_flag=False,
    flag_value="cpu",
    type=click.Choice(["cpu", "tensorrt"]),
    metavar="[tensorrt]",
    help="The network in int8, for CPUs or for TensorRT. Write it behind RUN.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file.  [RUN/model.onnx, model.fp16.onnx, model.nv12-1920x1208.onnx ...]",
)
def export(
    *,
    run: Path,
    half: bool,
    int8_target: "Int8Target | None",
    out: Path | None,
    camera: tuple[int, int] | None,
    layout: str,
    crop: tuple[int, int, int, int] | None,
    stretch: bool,
    yuv_matrix: str | None,
    yuv_range: str | None,
    resize: "Resize",
    **rest: Any,  # noqa: ANN401 (the options of the sections Answer and Proof, by the names of export_onnx)
) -> None:
    """Export RUN's best checkpoint as one ONNX file, proven against the trained network on real frames.

    Exit 1 where the proof fails: the file then keeps the name FILE.rejected.
    """
    from export.pipeline import export_onnx
    from export.settings import CameraRequest

    if half and int8_target is not None:
        raise click.UsageError("expected one precision, got --fp16 and --int8; give one of them")
    say(f"exporting {run}: the network is traced first, then proven on frames")
    request = CameraRequest(
        width_px=camera[0] if camera is not None else None,
        height_px=camera[1] if camera is not None else None,
        layout=layout,
        crop=crop,
        stretch=stretch,
        yuv_matrix=yuv_matrix,
        yuv_range=yuv_range,
        resize=resize,
    )
    result = export_onnx(
        run,
        precision="fp16" if half else "int8" if int8_target is not None else "fp32",
        int8_target=int8_target or "cpu",
        camera=None if request == CameraRequest() else request,
        out=out,
        **rest,
    )
    show_proof(result.model.name, result.parity, result.notes)
    say(f"model    {result.model} ({result.size_bytes / 1e6:.2f} MB)")
    say(f"report   {result.report}")
    say(f"picture  {result.picture}")
    say(f"next     {shlex.join(['segtool', 'bench', str(result.model)])}")


export.sections = SECTIONS
