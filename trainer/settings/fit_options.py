"""How a run is carried out, as against what its steps compute."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runtime.errors import UsageError

Tracker = Literal["none", "tensorboard"]


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of `fit`.

    Attributes:
        workers: processes that decode and augment.
        panel_every: a panel each so many epochs; 0 for none.
        resume: go on from `last`.
        allow_inexact: resume although data, batch size or number of processes differ.
        keep: checkpoints of past epochs that are kept beside `best` and `last`.
        track: where scores go beside metrics.jsonl.
        weights: what a pretrained network starts from: "none", "imagenet", "coco" or a file.
        init: a run's folder or a checkpoint whose weights a new run starts from; None for none.
        cache_mb: room on disk for decoded frames, in the user's cache folder; 0 for no cache.
        overfit: train and validate on the first so many training images, as they are: a network and a recipe that work
            reach a mean IoU near 1 on them. None for a real run.
        worker_timeout_s: seconds after which a worker that hands over nothing counts as hung.
    """

    workers: int = 0
    panel_every: int = 1
    resume: bool = False
    allow_inexact: bool = False
    keep: int = 0
    track: Tracker = "none"
    weights: str = "none"
    init: Path | None = None
    cache_mb: int = 0
    overfit: int | None = None
    worker_timeout_s: float = 120.0

    def __post_init__(self) -> None:
        counts = {
            "--workers": self.workers,
            "--panel-every": self.panel_every,
            "--keep": self.keep,
            "--cache-mb": self.cache_mb,
        }
        for flag, value in counts.items():
            if value < 0:
                raise UsageError(f"{flag} must be 0 or more, got {value}; leave it out for the default")
        if self.overfit is not None and self.overfit < 1:
            raise UsageError(f"--overfit must be 1 or more images, got {self.overfit}; try 8, or leave it out")
        begun_with = {"--weights": self.weights != "none", "--init": self.init is not None}
        for flag in (flag for flag, given in begun_with.items() if given and self.resume):
            raise UsageError(f"{flag} is about how a run begins, got it with --resume, which goes on; leave it out")
        if not 0 < self.worker_timeout_s < float("inf"):
            raise UsageError(
                f"--worker-timeout must be above 0 s and finite, got {self.worker_timeout_s:g}; the default is 120"
            )
