"""Whether a pack's frames go through a file's door: the same classes, sizes, camera and place of the labels."""

from pathlib import Path
from typing import cast

from export.settings import ExportSettings, LabelsAt, LabelsFrom
from runtime.errors import DataError
from runtime.spec import ModelSpec


def differences(file: ModelSpec, pack: ModelSpec) -> tuple[str, ...]:
    """Where the door of a file is another than the one that a pack was made for: one clause each, none where it fits.

    Args:
        file: spec of the file that is to be proven.
        pack: spec of the pack.
    """

    def door(spec: ModelSpec) -> dict[str, object]:
        camera = spec.camera
        size = (camera.width_px, camera.height_px) if camera else (spec.width_px, spec.height_px)
        enlarged = spec.labels_shape != (spec.height_px, spec.width_px)
        return {
            "classes": ", ".join(spec.classes),
            "network size": f"{spec.width_px}x{spec.height_px}",
            "layout": spec.layout,
            "frame": "x".join(map(str, size)),
            "YUV matrix": (camera and camera.yuv_matrix) or "none",
            "YUV range": (camera and camera.yuv_range) or "none",
            "crop": (camera and camera.crop) or "none",
            "label map": "x".join(map(str, reversed(spec.labels_shape))),
            "labels enlarged from": spec.labels_from if enlarged else "nothing",
        }

    ours, theirs = door(file), door(pack)
    return tuple(f"{name} {theirs[name]}, the file has {ours[name]}" for name in ours if ours[name] != theirs[name])


def require_same_door(file: ModelSpec, pack: ModelSpec, file_path: Path, pack_path: Path) -> None:
    """Refuses a pack that was made for another door than the file's.

    Args:
        file: spec of the file that is to be proven.
        pack: spec of the pack.
        file_path: for the message.
        pack_path: likewise.

    Raises:
        DataError: it was.
    """
    found = differences(file, pack)
    if found:
        raise DataError(
            f"{pack_path}: expected a pack for {file_path}, got one with {'; '.join(found)}; make one with "
            f"`segtool pack RUN --data DATA --for {file_path}`"
        )


def settings_like(spec: ModelSpec) -> ExportSettings:
    """The settings that give a file of fp32 the same door as this spec's."""
    return ExportSettings(
        camera=spec.camera,
        labels_at=cast(LabelsAt, spec.labels_at),  # checked by the spec
        # says nothing of labels that are not enlarged
        labels_from=cast(LabelsFrom, spec.labels_from) if spec.labels_at == "camera" else "labels",
        confidence=spec.confidence is not None,
        batch=spec.batch,
    )
