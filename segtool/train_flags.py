"""The flags of `segtool train` and the settings that they stand for. Imports no torch: `train --help` is read often.

A parameter's name says where its value goes: `optimiser__learning_rate` is the key `learning_rate` of `[optimiser]`,
`epochs` a key of the whole, `fit__workers` a field of FitOptions and `data__unsure` an argument of `open_dataset`.
"""

from pathlib import Path

import click

from segtool.sections import number_list, number_or_none

DATA = [
    click.Option(
        ["--label-space", "data__label_space"],
        metavar="NAME",
        help="categories (7), cityscapes (19) or names (28) of Cityscapes; by default what DATA's layout has.",
    ),
    click.Option(["--size"], metavar="WIDTHxHEIGHT", help="The network's input; one number is a square.  [256]"),
    click.Option(
        ["--unsure", "data__unsure"],
        type=click.Choice(["nearby", "nearest", "ignore"]),
        help="Mask pixels near no colour, as JPEG leaves them at borders: the nearest colour close by, the nearest of "
        "all, or ignored.  [nearby]",
    ),
    click.Option(["--limit"], type=int, metavar="N", help="Train on the first N images only."),
]
NETWORK = [
    click.Option(
        ["--network", "network__name"],
        metavar="NAME",
        help="unet, unet-fast, encoder-unet (or unet with --encoder), deeplabv3plus or deeplabv3.  [unet]",
    ),
    click.Option(["--width", "network__width"], type=int, metavar="N", help="Channels of the first stage."),
    click.Option(["--depth", "network__depth"], type=int, metavar="N", help="Times the resolution is halved (unet)."),
    click.Option(["--up", "network__up"], metavar="learned|bilinear", help="How the decoder enlarges (unet)."),
    click.Option(
        ["--attention/--no-attention", "network__attention"], default=None, help="Attention gates on the skips (unet)."
    ),
    click.Option(["--bottleneck", "network__bottleneck"], metavar="plain|aspp", help="The deepest stage (unet)."),
    click.Option(
        ["--encoder", "network__encoder"],
        metavar="NAME",
        help="resnet18, resnet34, resnet50, mobilenet_v3_large or efficientnet_lite0.",
    ),
    click.Option(
        ["--weights", "fit__weights"],
        metavar="none|imagenet|coco|FILE",
        help="What a pretrained network starts from.  [none]",
    ),
    click.Option(
        ["--init", "fit__init"],
        type=click.Path(path_type=Path),
        metavar="RUN|FILE",
        help="Start from another run's weights; what does not fit is named and made anew.",
    ),
    click.Option(
        ["--freeze-encoder", "freeze_encoder_epochs"],
        type=int,
        metavar="N",
        help="Keep the encoder's weights for the first N epochs.  [0]",
    ),
]
RECIPE = [
    click.Option(["--recipe"], metavar="seed|strong", help="Settings that go together.  [seed]"),
    click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        help="Settings from a file; they win over the recipe, flags over them.",
    ),
    click.Option(
        ["--set", "settings"],
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other key of such a file, for example augmentation.noise=4; may be repeated.",
    ),
    click.Option(
        ["--epochs"], type=int, metavar="N", help="Passes over the images; with --resume the new total.  [15]"
    ),
    click.Option(["--batch-size"], type=int, metavar="N", help="Images per step and process.  [8]"),
    click.Option(["--accumulate"], type=int, metavar="N", help="Batches per step of the optimiser.  [1]"),
    click.Option(
        ["--loss", "loss__kind"], metavar="NAME", help="dice, cross-entropy, ohem, dice+cross-entropy or dice+ohem."
    ),
    click.Option(
        ["--label-smoothing", "loss__label_smoothing"], type=float, help="Of the cross entropy, 0 to below 1."
    ),
    click.Option(
        ["--class-weights", "loss__class_weights"],
        metavar="none|mild|log",
        help="Rare classes count more: by ENet's rule (log), or its square root.",
    ),
    click.Option(["--optimiser", "optimiser__kind"], metavar="adam|adamw|sgd", help="How weights follow gradients."),
    click.Option(["--lr", "optimiser__learning_rate"], type=float, help="The highest learning rate of the run."),
    click.Option(["--weight-decay", "optimiser__weight_decay"], type=float, help="Norms and biases never decay."),
    click.Option(
        ["--clip-norm", "optimiser__clip_norm"],
        callback=number_or_none,
        metavar="NORM|none",
        help="Largest gradient norm, or none.",
    ),
    click.Option(
        ["--encoder-rate", "optimiser__encoder_rate"], type=float, help="The encoder's learning rate over the rest's."
    ),
    click.Option(
        ["--schedule", "schedule__kind"], metavar="NAME", help="cooldown, constant, cosine, poly or one-cycle."
    ),
    click.Option(
        ["--warm-up", "schedule__warm_up"], type=float, help="Share of the run in which the learning rate rises."
    ),
    click.Option(
        ["--ema"],
        callback=number_or_none,
        metavar="DECAY|none",
        help="Decay of the averaged weights that are validated, or none.",
    ),
    click.Option(["--flip", "augmentation__flip"], type=float, help="Chance of mirroring an image."),
    click.Option(["--crop", "augmentation__crop"], type=float, help="Chance of giving an image another scale."),
    click.Option(["--scale"], callback=number_list, metavar="MIN,MAX", help="That scale; below 1 pads, above 1 crops."),
    click.Option(
        ["--colour"], type=float, help="Jitter of light; 0.5: brightness, contrast, saturation, gamma by up to 1.5."
    ),
    click.Option(["--blur", "augmentation__blur_px"], type=float, help="Largest radius of a random blur in pixels."),
]
RUN = [
    click.Option(
        ["--precision"],
        metavar="auto|no|fp16|bf16",
        help="auto: fp16 on CUDA, bf16 on a CPU that has it natively, else none.  [auto]",
    ),
    click.Option(["--seed"], type=int, metavar="N", help="Of weights, order and augmentation.  [0]"),
    click.Option(
        ["--workers", "fit__workers"],
        type=int,
        metavar="N",
        help="Processes that decode and augment.  [one per core, at most 8]",
    ),
    click.Option(["--worker-timeout", "fit__worker_timeout_s"], type=float, help="Seconds until one is hung.  [120]"),
    click.Option(
        ["--cache-mb", "fit__cache_mb"], type=int, metavar="MB", help="Disk for decoded frames; 0 for none.  [4096]"
    ),
    click.Option(
        ["--panel-every", "fit__panel_every"], type=int, metavar="N", help="Epochs per panel; 0 for none.  [1]"
    ),
    click.Option(["--keep", "fit__keep"], type=int, metavar="N", help="Past epochs kept beside best and last.  [0]"),
    click.Option(
        ["--track", "fit__track"], type=click.Choice(["none", "tensorboard"]), help="Where scores go as well.  [none]"
    ),
    click.Option(["--resume"], is_flag=True, help="Go on with the run in RUN, with its own settings."),
    click.Option(
        ["--allow-inexact", "fit__allow_inexact"],
        is_flag=True,
        default=None,
        help="Resume although data, batch size or processes differ; the result is then not the same run's.",
    ),
    click.Option(
        ["--overfit", "fit__overfit"],
        type=int,
        metavar="N",
        help="Train and validate on N training images: what works gets near mean IoU 1.",
    ),
    click.Option(
        ["--dry-run"], is_flag=True, help="One batch through everything; says memory and time, writes nothing."
    ),
]
SECTIONS = {"Data": DATA, "Network": NETWORK, "Recipe": RECIPE, "Run": RUN}

# one flag for several keys
SPREAD = {
    "scale": ("min_scale", "max_scale"),
    "colour": ("brightness", "contrast", "saturation", "gamma"),
}


def flag_of(key: str) -> str:
    """What a message calls a setting: its flag, or --set where it has none of its own.

    Args:
        key: dotted, such as "optimiser.learning_rate".
    """
    name = key.replace(".", "__")
    for flag, keys in SPREAD.items():
        if key.removeprefix("augmentation.") in keys:
            return f"--{flag}"
    for option in (each for options in SECTIONS.values() for each in options):
        if option.name == name:
            return option.opts[0]
    return f"--set {key}"
