"""Videos made on the spot, and replays of a few pictures through the model whose every label is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RED, GREEN, BLUE, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 200), (0, 0, 0)


def striped(*colours: tuple[int, int, int], height_px: int = 16, column_px: int = 16) -> np.ndarray:
    return np.concatenate([np.full((height_px, column_px, 3), colour, np.uint8) for colour in colours], axis=1)


@pytest.fixture
def save_pictures(tmp_path: Path) -> Callable[..., Path]:
    """Writes pictures of columns as 1.png, 2.png, ... and returns their folder."""

    def save(*pictures: Sequence[tuple[int, int, int]], name: str = "frames") -> Path:
        (tmp_path / name).mkdir()
        for number, colours in enumerate(pictures):
            Image.fromarray(striped(*colours)).save(tmp_path / name / f"{number + 1}.png")
        return tmp_path / name

    return save


@pytest.fixture
def save_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video, nearly lossless, with a matrix of colours that it may or may not name."""
    av = pytest.importorskip("av", reason="needs the extra `video` (PyAV)")

    def save(
        images: Sequence[np.ndarray], name: str = "drive.mkv", rate: int = 20, matrix: int = 5, named: int = 5
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(
                "libx264", rate=rate, options={"crf": "1", "g": "1"}
            )  # each frame a key frame
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.colorspace = named
            for number, image_hwc in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image_hwc, format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
                frame.pts = number
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    return save
