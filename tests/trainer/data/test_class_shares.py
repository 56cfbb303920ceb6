import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.errors import DataError
from trainer.data.class_shares import class_shares
from trainer.data.dataset import open_dataset

ROAD, SKY, NOTHING = (128, 64, 128), (70, 130, 180), (0, 0, 0)  # categories 0 and 4, and the unlabelled


def write_pairs(path: Path, masks: list[list[tuple[int, int, int]]]) -> Path:
    """One pair of 40x40 for each list of colours, which become bands of equal height."""
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "val"):
            for number, colours in enumerate(masks, start=1):
                mask = np.repeat(np.array(colours, np.uint8), 40 // len(colours), axis=0)[:, None].repeat(40, axis=1)
                stream = io.BytesIO()
                Image.fromarray(np.hstack([mask, mask])).save(stream, format="PNG")
                archive.writestr(f"{split}/{number}.png", stream.getvalue())
    return path


def test_class_shares_two_frames_by_hand(tmp_path: Path) -> None:
    # road 3/4 and sky 1/4 of the first; road 1/2 of the second, whose other half is ignored: 1600 * 1.25 + 1600 * 0.25
    path = write_pairs(tmp_path / "a.zip", [[ROAD, ROAD, ROAD, SKY], [ROAD, NOTHING]])
    shares = class_shares(open_dataset(path, "categories"))
    assert shares.dtype == np.float64
    np.testing.assert_allclose(shares, [1.25 / 1.5, 0, 0, 0, 0.25 / 1.5, 0, 0])
    np.testing.assert_allclose(class_shares(open_dataset(path, "categories"), limit=1), [0.75, 0, 0, 0, 0.25, 0, 0])


def test_class_shares_of_nothing_but_ignored_pixels_is_an_error(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.zip", [[NOTHING]])
    with pytest.raises(DataError, match="got none in 1 frames"):
        class_shares(open_dataset(path, "categories"))
