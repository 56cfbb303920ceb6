"""`segtool parity`: does this file answer as the network that was trained? Against the run, or without torch a pack."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segtool.engine_flags import CACHE, engine_options
from segtool.parity_arguments import require_sense
from segtool.proof_tables import show_proof
from segtool.sections import gate_values

if TYPE_CHECKING:
    from export.proof.bisect import Difference
    from export.proof.gates import Gates
    from export.proof.parity import Parity
    from export.proof.picture import WorstFrames
    from runtime.model_file import ModelFile
    from runtime.options import EngineOptions

PICTURED_FRAMES = 4
DEFAULT_FRAMES = 200  # with --run

EXAMPLES = """\b
Examples:
  segtool parity runs/a/model.fp16.onnx --run runs/a --data cityscapes_pairs.zip --picture proof.png
  segtool parity runs/a/model.int8.onnx --run runs/a --bisect
  segtool parity front.onnx --pack PACK.zip --provider cuda --record front.record.json --signed "A. Engineer"
  segtool parity front.onnx --pack PACK.zip --gate agreement=0.9995

A class with too few pixels or frames is reported as not proven, never as passed. A gate moved by --gate is named in
everything that is printed and written."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """The proof, what it was made against, sentences that a reader must know, and what --bisect found, as JSON."""

    parity: "Parity"
    against: dict[str, object]
    notes: tuple[str, ...] = ()
    bisect: dict[str, object] | None = None


@click.command(epilog=EXAMPLES, short_help="Prove a file against the run, or on the target against a pack.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.option(
    "--run", metavar="RUN", type=click.Path(path_type=Path), help="The run it was exported from; needs torch."
)
@click.option("--data", metavar="DATA", type=click.Path(path_type=Path), help="With --run.  [default: the run's own]")
@click.option("--pack", metavar="PACK.zip", type=click.Path(path_type=Path), help="Of `segtool pack`; needs no torch.")
@click.option("--provider", default="auto", show_default=True, help="ONNX Runtime provider that runs the file.")
@CACHE
@click.option(
    "--frames", type=int, metavar="N", help="To compare.  [default: 200 of the val split, or all of the pack]"
)
@click.option("--bisect", is_flag=True, help="With --run: name the first stage or layer that differs.")
@click.option(
    "--gate", "moved", multiple=True, callback=gate_values, metavar="NAME=VALUE", help="Move a gate. May be repeated."
)
@click.option("--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Write the report there.")
@click.option(
    "--picture", metavar="FILE.png", type=click.Path(path_type=Path), help="Draw the frames that differ most."
)
@click.option("--record", metavar="FILE.json", type=click.Path(path_type=Path), help="Write verdict and machine there.")
@click.option("--signed", metavar="NAME", help="Who answers for the record.")
def parity(
    *,
    file: Path,
    run: Path | None,
    data: Path | None,
    pack: Path | None,
    provider: str,
    cache: Path | None,
    frames: int | None,
    bisect: bool,
    moved: Mapping[str, float],
    json_file: Path | None,
    picture: Path | None,
    record: Path | None,
    signed: str | None,
) -> None:
    """Compare FILE.onnx with the trained network, frame by frame and class by class.

    Exit 1 where a gate says no; report, picture and record are written all the same.
    """
    from export.proof.gates import with_overrides
    from export.proof.picture import WorstFrames
    from runtime.errors import GateError
    from runtime.model_file import load_model_file
    from segtool.places import require_writable

    require_sense(run=run, data=data, pack=pack, cache=cache, bisect=bisect, record=record, signed=signed)
    require_writable(json_file, picture, record, read=(file, data, pack))
    model = load_model_file(file)
    gates = with_overrides(model.spec.precision, moved)
    worst = WorstFrames(count=PICTURED_FRAMES)
    if pack is not None:
        options = engine_options(provider, cache)
        found = _against_pack(model, pack, frames, gates, worst, provider=provider, options=options)
    else:
        found = _against_run(model, run or Path(), data, frames, gates, provider, worst, bisect=bisect)
    show_proof(file.name, found.parity, found.notes)
    _write(model, found, worst, json_file=json_file, picture=picture, record=record, signed=signed)
    if not found.parity.passed:
        raise GateError(
            f"{file}: expected the answers of the trained network, got others on '{found.parity.provider}': "
            f"{'; '.join(found.parity.failures)}; don't use this file there, and look where it differs with --picture "
            "or, where the run is, with --run RUN --bisect"
        )


def _against_pack(
    model: "ModelFile",
    path: Path,
    frames: int | None,
    gates: "Gates",
    worst: "WorstFrames",
    *,
    provider: str,
    options: "EngineOptions",
) -> _Found:
    from export.proof.pack import read_pack
    from export.proof.repeat import origin_notes, repeat_proof
    from runtime.engine.providers import precision_notes

    pack = read_pack(path)
    parity = repeat_proof(model, pack, frames=frames, gates=gates, provider=provider, options=options, worst=worst)
    return _Found(
        parity=parity,
        # what was found here comes last: a pack may say what it likes of itself
        against={**pack.manifest.about, "pack": path.name, "pack_sha256": pack.sha256, "frames": len(pack)},
        notes=(*origin_notes(model, pack), *precision_notes(parity.provider, model.spec.precision)),
    )


def _against_run(
    model: "ModelFile",
    run: Path,
    data: Path | None,
    frames: int | None,
    gates: "Gates",
    provider: str,
    worst: "WorstFrames",
    *,
    bisect: bool,
) -> _Found:
    from export.proof.prove_file import prove_file  # imports torch
    from runtime.engine.providers import precision_notes

    count = DEFAULT_FRAMES if frames is None else frames
    done = prove_file(model, run, data, frames=count, worst=worst, gates=gates, provider=provider, bisect=bisect)
    located = done.difference
    return _Found(
        parity=done.parity,
        against=done.against,
        notes=(
            *_other_run(model, run),
            *([located.sentence()] if located else []),
            *precision_notes(done.parity.provider, model.spec.precision),
        ),
        bisect=_plain(located) if located else None,
    )


def _other_run(model: "ModelFile", run: Path) -> tuple[str, ...]:
    """A remark where the file says that it comes from another run; a renamed folder is no fault."""
    named = model.spec.training.get("run")
    return () if named == run.resolve().name else (f"the file names run {named!r}, it is compared with {run.name!r}",)


def _plain(located: "Difference") -> dict[str, object]:
    from trainer.json_file import number

    layer = located.layer
    inside = {**asdict(layer), "error": number(layer.error)} if layer is not None else None
    return {"stage": located.stage, "layer": inside}


def _write(
    model: "ModelFile",
    found: _Found,
    worst: "WorstFrames",
    *,
    json_file: Path | None,
    picture: Path | None,
    record: Path | None,
    signed: str | None,
) -> None:
    """Writes what was asked for, after it was printed: a full disk must not lose what was measured."""
    from benchmarks.machine import machine_record
    from export.proof.picture import draw_picture
    from export.proof.record import file_facts, sign_off
    from export.proof.report import verdict_line
    from runtime.files import write_whole
    from segtool.console import say
    from trainer.json_file import write_json

    parity, notes = found.parity, list(found.notes)
    if json_file is not None:
        facts = {"file": file_facts(model), "against": found.against, "notes": notes, "bisect": found.bisect}
        write_json(json_file, {**parity.report(), **facts})
        say(f"report  {json_file}")
    if picture is not None:
        title = f"{model.path.name}: {verdict_line(parity)}"
        drawn = draw_picture(worst.frames(), model.spec, title=title, notes=parity.failures)
        write_whole(picture, drawn)
        say(f"picture {picture}")
    if record is not None:
        signed_off = sign_off(
            parity, file=model, against=found.against, machine=machine_record(), notes=notes, signed=signed
        )
        write_json(record, signed_off)
        say(f"record  {record}")
