"""`segtool selftest`: the golden frames that travel in a model file, run here, without torch and without data."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from segtool.engine_flags import CACHE, engine_options

if TYPE_CHECKING:
    from runtime.segmenter import Segmenter
    from runtime.selftest import SelfTest

SCHEMA_VERSION = 1

EXAMPLES = """\b
Examples:
  segtool selftest model.onnx
  segtool selftest model.fp16.onnx --provider cuda --json selftest.json

The file names, for each provider, what share of pixels must get the label that it was exported with."""


@click.command(epilog=EXAMPLES, short_help="Run the frames that travel in a model file and check their labels.")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@click.option("--provider", default="auto", show_default=True, help="auto, cpu, cuda, ...: one named runs or fails.")
@CACHE
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write the result there."
)
def selftest(file: Path, provider: str, cache: Path | None, json_file: Path | None) -> None:
    """Run the golden frames of FILE.onnx on this machine; exit 1 where their labels differ too much.

    It shows that this machine, driver and engine compute what was exported. What the labels are worth, `segtool parity`
    and `segtool eval` say.
    """
    from runtime.errors import GateError
    from runtime.segmenter import Segmenter
    from runtime.selftest import self_test
    from segtool.console import say, show_table
    from segtool.places import require_writable
    from trainer.json_file import write_json

    require_writable(json_file, read=[file])
    options = engine_options(provider, cache)
    # self_test=False: the command does it, and keeps its record
    with Segmenter(file, provider, options=options, self_test=False) as segmenter:
        result = self_test(segmenter)
        record = _record(file, segmenter, result)
    rows = [(str(place), f"{100 * share:.4f} %") for place, share in enumerate(result.agreement, start=1)]
    show_table(f"self-test of {file} on {result.provider}", ("frame", "labels as exported"), rows)
    say(f"at least {100 * result.required:g} % are required: {'passed' if result.passed else 'failed'}")
    if json_file is not None:
        write_json(json_file, record)
    if not result.passed:
        raise GateError(
            f"{file}: expected {100 * result.required:g} % of the labels that it was exported with on provider "
            f"{result.provider}, got {100 * min(result.agreement):.4f} %; do not use it here: check the device and the "
            "driver, or try another provider"
        )


def _record(file: Path, segmenter: "Segmenter", result: "SelfTest") -> dict[str, object]:
    from benchmarks.machine import machine_record

    golden = segmenter.spec.golden or {}
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "selftest",
        "file": file.name,
        "sha256": segmenter.sha256,
        "precision": segmenter.spec.precision,
        "provider": result.provider,
        "source": golden.get("source"),
        "frames": result.frames,
        "agreement": list(result.agreement),
        "required": result.required,
        "passed": result.passed,
        "machine": machine_record(),
    }
