"""The flags of `segtool export`, in sections. Imports neither torch nor onnx: `export --help` is read often."""

from pathlib import Path

import click

from segtool.sections import crop_px, gate_values, size_px

CAMERA = [
    click.Option(
        ["--camera"],
        callback=size_px,
        metavar="WIDTHxHEIGHT",
        help="Frames as the camera delivers them.  [the network's size]",
    ),
    click.Option(
        ["--input", "layout"],
        type=click.Choice(["rgb", "bgr", "nv12", "uyvy"]),
        default="rgb",
        show_default=True,
        help="How the bytes of a frame lie.",
    ),
    click.Option(
        ["--yuv-matrix"], type=click.Choice(["bt601", "bt709"]), help="Of nv12 and uyvy.  [bt709 from 720 rows on]"
    ),
    click.Option(["--yuv-range"], type=click.Choice(["limited", "full"]), help="Of nv12 and uyvy.  [limited]"),
    click.Option(
        ["--crop"],
        callback=crop_px,
        metavar="X,Y,W,H",
        help="The part of the frame that the network sees, in its pixels.",
    ),
    click.Option(["--stretch"], is_flag=True, help="Accept another aspect than the one trained on."),
    click.Option(
        ["--resize"],
        type=click.Choice(["auto", "products", "resize-node"]),
        default="auto",
        show_default=True,
        help="How the graph shrinks: by products with constant matrices, which every engine computes alike, or by "
        "ONNX's Resize.",
    ),
]
ANSWER = [
    click.Option(
        ["--labels-at"],
        type=click.Choice(["network", "camera"]),
        default="network",
        show_default=True,
        help="Size of the label map.",
    ),
    click.Option(
        ["--labels-from"],
        type=click.Choice(["logits", "labels"]),
        default="labels",
        show_default=True,
        help="What is enlarged for --labels-at camera; logits give finer borders and cost more.",
    ),
    click.Option(["--confidence"], is_flag=True, help="A second output: 255 x the winner's calibrated softmax."),
    click.Option(["--batch"], type=int, default=1, show_default=True, metavar="N", help="Frames in one run."),
]
PROOF = [
    click.Option(
        ["--parity-data"],
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="Prove it on this data set's val split.  [the run's own]",
    ),
    click.Option(
        ["--calibration"],
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="Fit fp16 and int8 to this data set's train split.  [the run's own]",
    ),
    click.Option(["--frames"], type=int, default=200, show_default=True, metavar="N", help="To prove it on."),
    click.Option(
        ["--golden"],
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="Take the self-test's two frames, which travel in the file, from DATA: real frames carry faces, plates "
        "and licences.  [synthetic scenes]",
    ),
    click.Option(
        ["--gate", "gates"],
        multiple=True,
        callback=gate_values,
        metavar="NAME=VALUE",
        help="Another limit for a gate; noted in the file. May be repeated.",
    ),
    click.Option(["--provider"], default="auto", show_default=True, help="ONNX Runtime provider that runs the proof."),
]
SECTIONS = {"Camera": CAMERA, "Answer": ANSWER, "Proof": PROOF}
