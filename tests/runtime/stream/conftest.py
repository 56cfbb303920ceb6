"""Real frames, where they are at hand."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

RealFrames = Callable[[str, int], list[np.ndarray]]
DATA = Path(os.environ.get("SEGTOOL_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_frames() -> RealFrames:
    """Reads each `step`-th photo of "cityscapes_pairs" or "camvid" in the order of their numbers, uint8 [H, W, 3]."""

    def read(name: str, step: int) -> list[np.ndarray]:
        path = DATA / f"{name}.zip"
        if not path.is_file():
            pytest.skip(f"{name}.zip is neither in the folder SEGTOOL_DATA names nor in ../shared/data")
        with zipfile.ZipFile(path) as archive:
            names = [member for member in archive.namelist() if member.endswith(".jpg")]
            names.sort(key=lambda member: (Path(member).parts[-2], Path(member).stem.zfill(20)))
            return [_photo(archive.read(member), name) for member in names[::step]]

    return read


def _photo(data: bytes, name: str) -> np.ndarray:
    from PIL import Image  # here, so that the other tests run where only the runtime is installed

    with Image.open(io.BytesIO(data)) as picture:
        whole = np.asarray(picture.convert("RGB"))
    return whole[:, : whole.shape[1] // 2] if name == "cityscapes_pairs" else whole  # the mask stands on the right
