"""Small data sets with known labels, and the real one where it is at hand."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROAD, CAR, BLACK = (128, 64, 128), (0, 0, 142), (0, 0, 0)


@pytest.fixture
def pair_png() -> Callable[..., bytes]:
    """Makes the bytes of a pair: a photo of one grey, and a mask of the colours given, top to bottom."""

    def make(grey: int, colours: tuple[tuple[int, int, int], ...] = (ROAD, CAR, BLACK), size: int = 24) -> bytes:
        both = np.full((size, 2 * size, 3), grey, np.uint8)
        for row in range(size):
            both[row, size:] = colours[row * len(colours) // size]
        stream = io.BytesIO()
        Image.fromarray(both).save(stream, "PNG")
        return stream.getvalue()

    return make


@pytest.fixture
def camvid_folder(tmp_path: Path) -> Path:
    """A data set of 2 train and 1 val frames in the layout of CamVid, each half sky and half road."""
    labels = np.repeat(np.array([[0], [3]], np.uint8), 12, axis=0).repeat(24, axis=1)
    for split, count in (("train", 2), ("val", 1)):
        for folder, picture in ((split, np.stack([40 * labels] * 3, -1)), (f"{split}annot", labels)):
            (tmp_path / "camvid" / folder).mkdir(parents=True)
            for number in range(1, count + 1):
                Image.fromarray(picture).save(tmp_path / "camvid" / folder / f"{number}.png")
    return tmp_path / "camvid"


@pytest.fixture
def pairs_folder(tmp_path: Path, pair_png: Callable[..., bytes]) -> Path:
    """A data set of 3 train and 2 val pairs, each with a third of road, car and black, under `set/inner`."""
    for split, greys in (("train", (1, 2, 10)), ("val", (3, 4))):
        folder = tmp_path / "set" / "inner" / split
        folder.mkdir(parents=True)
        for grey in greys:
            (folder / f"{grey}.png").write_bytes(pair_png(grey))
    return tmp_path / "set"


@pytest.fixture
def zip_folder(tmp_path: Path) -> Callable[..., Path]:
    """Zips a folder, with `prefix` before each name."""

    def make(folder: Path, prefix: str = "") -> Path:
        target = tmp_path / "made.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, prefix + file.relative_to(folder).as_posix())
        return target

    return make


@pytest.fixture(scope="session")
def real_pairs() -> Path:
    """The Cityscapes pairs, from the folder that SEGTOOL_DATA names or from ../shared/data beside the repository."""
    default = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get("SEGTOOL_DATA", default)) / "cityscapes_pairs.zip"
    if not path.is_file():
        pytest.skip("cityscapes_pairs.zip is neither in the folder SEGTOOL_DATA names nor in ../shared/data")
    return path


@pytest.fixture
def encoder_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """Makes every run of this test train a network of two convolutions, the first of them an `encoder`."""
    import torch

    import trainer.session

    class Encoded(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.Sequential(
                torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
            )
            self.head = torch.nn.Conv2d(4, 7, 1)

        def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
            return self.head(self.encoder(image_nchw))

    monkeypatch.setattr(trainer.session, "build_network", lambda *_: Encoded())
    return Encoded
