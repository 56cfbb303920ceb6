"""What one engine is given to do, as it goes to the process that does it; and what every engine is opened as."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Label = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Frame uint8 RGB [H,W,3], C-contiguous, 0..255 -> labels uint8 [H,W]."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One engine's part in a comparison.

    Attributes:
        name: of the engine, in `catalogue.ENGINES`.
        file: the model file that is compared.
        float_file: bytes to labels in float32, of the same weights; None where there is none.
        network_file: normalised float32 [1,3,H,W] to logits [1,C,H,W], of the same weights; None where there is none.
        run: the run that the file was exported from; None where it was not named.
        mean: per RGB channel, of image / 255.
        std: likewise.
        provider: that segtool runs the file on: "cpu" and its peers compute on the CPU, else on the GPU.
        threads: CPU threads for one operator, the caller's among them.
        frames: .npy of the frames, uint8 [F,H,W,3].
        labels: .npy that the engine's labels of these frames go to, uint8 [F,H,W].
    """

    name: str
    file: Path
    float_file: Path | None
    network_file: Path | None
    run: Path | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    provider: str
    threads: int
    frames: Path
    labels: Path

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        )

    @staticmethod
    def from_json(text: str) -> "Job":
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        for key in ("file", "float_file", "network_file", "run", "frames", "labels"):
            values[key] = None if values[key] is None else Path(values[key])
        return Job(**values | {key: tuple(values[key]) for key in ("mean", "std")})

    def require(self, what: str) -> Path:
        """Returns one of the files that not every comparison has.

        Args:
            what: "float_file", "network_file" or "run".

        Raises:
            ValueError: this one has not; the catalogue should not have let the engine take part.
        """
        path: Path | None = getattr(self, what)
        if path is None:
            raise ValueError(f"{self.name} needs {what}, which this comparison has not")
        return path


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An engine that is ready.

    Attributes:
        label: takes a frame to its labels; what is timed.
        version: of the engine, with the package's name where it is another than the engine's.
        note: what must be known to read its time: the precision it chose, the layout; None for nothing.
    """

    label: Label
    version: str
    note: str | None = None
