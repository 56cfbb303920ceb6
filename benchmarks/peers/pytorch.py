"""The trained network itself in PyTorch: eager in two layouts, in fewer bits, and compiled. Torch enters on opening."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from benchmarks.peers.job import Job, Opened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


def open_eager(job: Job) -> Opened:
    """Opens the network as it comes out of training: float32, planes of channels."""
    return _open(job, channels_last=False, autocast=False, compiled=False)


def open_channels_last(job: Job) -> Opened:
    """Opens the network with weights and images in the channels-last layout."""
    return _open(job, channels_last=True, autocast=False, compiled=False)


def open_autocast(job: Job) -> Opened:
    """Opens the network under autocast: bfloat16 on the CPU, float16 on a GPU; channels last, its faster layout."""
    return _open(job, channels_last=True, autocast=True, compiled=False)


def open_compiled(job: Job) -> Opened:
    """Opens the network with normalisation and argmax as one function for torch.compile, its default settings."""
    return _open(job, channels_last=True, autocast=False, compiled=True)


def _open(job: Job, *, channels_last: bool, autocast: bool, compiled: bool) -> Opened:
    import torch

    from trainer.evaluate import load_trained
    from trainer.networks.ends import Normalise

    torch.set_num_threads(job.threads)
    device = torch.device("cpu" if job.provider == "cpu" else "cuda")
    network: nn.Module = load_trained(job.require("run") / "best.safetensors").network.to(device)
    normalise = Normalise(job.mean, job.std).to(device)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    half = torch.float16 if device.type == "cuda" else torch.bfloat16

    def labels_of(image_nhwc: Tensor) -> Tensor:
        image_nchw = normalise(image_nhwc)  # channels last in memory
        if not channels_last:
            image_nchw = image_nchw.contiguous()
        with torch.autocast(device.type, half) if autocast else nullcontext():
            logits: Tensor = network(image_nchw)
        return logits.argmax(dim=1).to(torch.uint8)

    run = torch.compile(labels_of) if compiled else labels_of

    def label(frame_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with torch.inference_mode():
            labels_nhw: NDArray[np.uint8] = run(torch.from_numpy(frame_hwc)[None].to(device)).cpu().numpy()
        return labels_nhw[0]

    notes = ["channels last" if channels_last else "channels first"]
    notes += [f"autocast to {str(half).removeprefix('torch.')}"] if autocast else []
    notes += ["torch.compile with its default settings"] if compiled else []
    return Opened(label=label, version=torch.__version__, note=", ".join(notes))
