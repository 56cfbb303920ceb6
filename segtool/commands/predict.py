"""`segtool predict`: label maps for an image, a folder or a zip. The work is in segtool/prediction.py."""

from pathlib import Path

import click

from segtool.engine_flags import CACHE, engine_options

EXAMPLES = """\b
Examples:
  segtool predict runs/a/model.onnx street.jpg --out labels
  segtool predict runs/a/model.fp16.onnx frames/ --out labels --overlay
  segtool predict runs/a/model.onnx frames.zip --out labels --provider cpu

A label PNG holds one class id per pixel, as numbers 0, 1, 2, ... at the image's own size; 255 is no valid answer."""


@click.command(epilog=EXAMPLES, short_help="Label images: one label PNG for each.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.argument("images", metavar="IMAGE|FOLDER|ZIP", type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path), help="Where the results go.")
@click.option("--overlay", is_flag=True, help="Also write NAME.overlay.png: the classes' colours over the image.")
@click.option("--provider", default="auto", show_default=True, help="auto, cpu, cuda, ...: one named runs or fails.")
@CACHE
def predict(file: Path, images: Path, out: Path, overlay: bool, provider: str, cache: Path | None) -> None:
    """Label every image with FILE.onnx: OUT/NAME.png, at the image's own size.

    Each image is resized with antialiasing to the network's size, or turned into what the file's camera would deliver;
    with a crop the whole image fills the crop. The labels go back by the nearest pixel, or by a vote where the image is
    the smaller one.
    """
    from runtime.segmenter import Segmenter
    from segtool.console import say
    from segtool.prediction import predict_pictures

    with Segmenter(file, provider, options=engine_options(provider, cache)) as segmenter:
        summary = predict_pictures(segmenter, images, out, overlay=overlay)
        say(f"{summary.written} label maps in {out}, by {segmenter.provider}")
    if summary.invalid:
        say(f"no valid answer (label 255) in {len(summary.invalid)} of them, the first: {summary.invalid[0]}")
