"""Writes a finished file with its report and picture: whole or not at all, under the final name or as .rejected."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from export.build import Built
from export.proof.picture import draw_picture
from export.proof.report import verdict_line
from runtime.files import write_whole
from runtime.model_file import check_model_bytes
from trainer.json_file import json_bytes

REJECTED = ".rejected"
REPORT, PICTURE = ".parity.json", ".parity.png"


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where everything lies."""

    model: Path
    report: Path
    picture: Path


def publish(path: Path, built: Built) -> Published:
    """Writes the model, then its report, which names the model's SHA-256, then the picture.

    All three are made before one is written, and an older report and picture go in the moment before the new model
    takes its name: whenever this ends, neither of them stands beside a model that it does not speak of.

    Raises:
        ModelFileError: what was read back is no sound model; nothing was changed.
        StorageError: one of them could not be written; where it was the model, what was there before under that name
            still is, perhaps without its report and picture.
    """
    report, picture = (path.with_name(path.name + suffix) for suffix in (REPORT, PICTURE))
    told = json_bytes({**built.report, "file_sha256": hashlib.sha256(built.data).hexdigest()})
    title = f"{path.name}: {verdict_line(built.parity)}"
    drawn = draw_picture(built.worst.frames(), built.spec, title=title, notes=built.refusals)

    def make_way(written: bytes) -> None:
        check_model_bytes(written, str(path))
        for older in (report, picture):
            older.unlink(missing_ok=True)

    write_whole(path, built.data, make_way)
    write_whole(report, told)
    write_whole(picture, drawn)
    return Published(model=path, report=report, picture=picture)
