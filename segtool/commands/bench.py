"""`segtool bench`: what a model file takes on this machine, as tables, JSON and a page; and its gates."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segtool.bench_flags import READ_BY, SECTIONS
from segtool.sections import SectionedCommand

if TYPE_CHECKING:
    from benchmarks.gates.baseline import Against
    from benchmarks.order import Order

EXAMPLES = """\b
Examples:
  segtool bench runs/a/model.onnx
  segtool bench runs/a/model.int8.onnx --data cityscapes_pairs.zip --budget-ms 20 --html bench.html
  segtool bench runs/a/model.onnx --scenario camera --rate 30 --cameras 2 --load cpu=1
  segtool bench runs/a/model.onnx --scenario peers --run runs/a --threads 1
  segtool bench runs/a/model.onnx --scenario sweep --run runs/a --sizes 128x128,512x512 --threads 1,2
  segtool bench runs/a/model.onnx --save baseline.json
  segtool bench runs/b/model.onnx --against baseline.json --max-slowdown 5%

\b
Scenarios:
  single-stream  the next frame when the last is done: the cost of a call
  camera         frames come at --rate, ready or not: ages, misses, drops, does it hold the pace
  offline        frames/s of files exported for several batches
  cold-start     process start to first valid mask, in parts
  soak           memory over many frames, its slope with an error
  sweep          sizes, threads, precisions: ms per megapixel, growth, memory
  stages         copy in, graph, copy out; the ten nodes that take longest
  peers          PyTorch, OpenVINO, plain ONNX Runtime on the same weights and frames, in turns

\b
A percentile is shown only where there are frames enough for it:
p50 needs 11, p90 64, p99 662, p99.9 6636 (MLPerf's early stopping, 99 % confidence).
Exit code 1: a gate (--budget-ms, --ready-budget-ms, --against) said no."""


@click.command(cls=SectionedCommand, epilog=EXAMPLES, short_help="Measure a model file's latency on this machine.")
@click.argument("files", metavar="FILE.onnx...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--scenario", type=click.Choice(list(READ_BY)), default="single-stream", show_default=True, help="See below."
)
@click.pass_context
def bench(ctx: click.Context, /, *, files: tuple[Path, ...], scenario: str, **flags: Any) -> None:  # noqa: ANN401
    """Measure each FILE.onnx from frame bytes to label bytes: what it takes, and whether it keeps a camera's pace."""
    from benchmarks.gates.asked import asked_gates, slowdown_gates
    from benchmarks.gates.baseline import save_baseline
    from benchmarks.gates.slowdown import MAX_SLOWDOWN
    from benchmarks.suite import run_bench
    from segtool.bench_order import make_order

    given = {name for name in flags if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
    order = make_order(scenario, files, flags, given)
    limit = flags["max_slowdown"] if flags["max_slowdown"] is not None else MAX_SLOWDOWN
    _require_keepable(scenario, flags)
    earlier = _require_readable(scenario, files, flags)
    record = run_bench(order)
    if flags["ready_budget_ms"] is not None:
        for result in record["results"]:
            result["ready_budget_ms"] = flags["ready_budget_ms"]
    gates = asked_gates(record, budget_ms=flags["budget_ms"], ready_budget_ms=flags["ready_budget_ms"])
    record["gates"] = gates
    try:
        against = _against(order, record, flags, limit)
    except Exception:  # what can't be compared was measured all the same
        _show(record, None, limit)
        _write(record, earlier, flags)
        raise
    if against is not None:
        record["gates"] = gates = [*gates, *slowdown_gates(record, against.slowdowns, limit)]
        record["notes"] += against.notes
    _show(record, against, limit)  # first: a full disk must not lose what was measured
    _write(record, earlier, flags)
    _require_passed(gates)
    if flags["save"] is not None:  # last: what a gate refused is no baseline
        save_baseline(flags["save"], record, order.files)


bench.sections = SECTIONS


def _require_keepable(scenario: str, flags: Mapping[str, Any]) -> None:
    """Refuses before anything is measured what could not be saved or compared afterwards."""
    from runtime.errors import UsageError

    keeps = {
        "--save": ("single-stream",),
        "--against": ("single-stream",),
        "--markdown": ("single-stream", "camera", "peers"),
    }
    for flag, scenarios in keeps.items():
        if flags[flag.removeprefix("--")] is not None and scenario not in scenarios:
            raise UsageError(f"{flag}: expected --scenario {' or '.join(scenarios)}, got {scenario}; leave {flag} out")
    if flags["earlier"] and flags["html"] is None:
        raise UsageError("--with: a page was expected that the records go onto, got no --html; give it")
    if flags["against"] is None and (flags["max_slowdown"] is not None or flags["allow_different"]):
        raise UsageError("--max-slowdown and --allow-different: expected beside --against, got none; give a baseline")


def _require_readable(scenario: str, files: tuple[Path, ...], flags: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reads before anything is measured what is only needed afterwards; returns the earlier records."""
    from benchmarks.gates.baseline import require_baseline
    from benchmarks.gates.records import read_record
    from benchmarks.page.markdown import require_block
    from benchmarks.page.page import require_drawable
    from segtool.places import require_writable

    require_writable(
        *(flags[name] for name in ("json_file", "html", "markdown", "save")),
        read=(*files, flags["data"], *flags["earlier"]),
    )
    if flags["markdown"] is not None:
        require_block(flags["markdown"], scenario)
    if flags["against"] is not None:
        require_baseline(flags["against"], files)
    earlier = [read_record(path) for path in flags["earlier"]]
    for path, record in zip(flags["earlier"], earlier, strict=True):
        require_drawable(path, record)
    return earlier


def _against(order: "Order", record: Mapping[str, Any], flags: Mapping[str, Any], limit: float) -> "Against | None":
    from benchmarks.gates.baseline import against_baseline

    if flags["against"] is None:
        return None
    return against_baseline(flags["against"], order, record, limit, allow_different=flags["allow_different"])


def _show(record: Mapping[str, Any], against: "Against | None", limit: float) -> None:
    from benchmarks.gates.slowdown import SLOWDOWN_COLUMNS, slowdown_rows
    from benchmarks.result_rows import GATE_COLUMNS, gate_rows, result_tables
    from segtool.console import say, show_table

    for title, columns, rows in result_tables(record):
        show_table(title, columns, rows)
    if against is not None:
        names = [file["file"] for file in record["files"]]
        show_table("against the baseline", SLOWDOWN_COLUMNS, slowdown_rows(names, against.slowdowns, limit))
    if record["gates"]:
        show_table("gates", GATE_COLUMNS, gate_rows(record))
    for note in record["notes"]:
        say(f"note: {note}")


def _write(record: dict[str, Any], earlier: list[dict[str, Any]], flags: Mapping[str, Any]) -> None:
    from trainer.json_file import write_json

    if flags["json_file"] is not None:
        write_json(flags["json_file"], record)
    if flags["markdown"] is not None:
        from benchmarks.page.markdown import markdown_table, renew_file

        renew_file(flags["markdown"], record["scenario"], markdown_table([record]))
    if flags["html"] is not None:
        from benchmarks.page.page import page
        from runtime.files import write_whole

        write_whole(flags["html"], page([record, *earlier]).encode())


def _require_passed(gates: list[dict[str, Any]]) -> None:
    from runtime.errors import GateError

    failed = [gate for gate in gates if not gate["ok"]]
    if failed:
        told = "; ".join(f"{gate['name']}: {gate['limit']} was asked, got {gate['got']}" for gate in failed)
        raise GateError(f"{told}; look at the table above")
