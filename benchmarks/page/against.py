"""Sections that set measurements side by side: other engines, other sizes, and accuracy against latency."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.page.comparison_charts import Point, Ratio, growth, intervals, scatter
from benchmarks.page.figures import figure, part, percentile, section
from benchmarks.page.headline import file_line
from benchmarks.page.markup import Markup, element, table
from benchmarks.page.numbers import count, plain, size
from benchmarks.page.pace import Results
from benchmarks.page.time_charts import letter


def peers_section(results: Results) -> Markup:
    """Returns the ratio to every other engine with its interval, and whether each computed the same."""
    return section(
        "Beside other engines",
        *(_peers(file, result) for file, result in results),
        intro="Same weights, same frames, in one run and in turns, from camera bytes to label bytes.",
    )


def sweep_section(results: Results, grown: Sequence[Mapping[str, Any]]) -> Markup:
    """Returns cost over sizes, threads, precisions and providers, and the exponent of its growth with pixels."""
    series = _series(results)
    curves = [points for _, points in series if len(points) > 1]
    chart = Markup("")
    if curves:
        names = [name for name, points in series if len(points) > 1]
        keys = "; ".join(f"{letter(index)}: {name}" for index, name in enumerate(names))
        draw = partial(growth, curves, told=f"p50 over pixels, both logarithmic. {keys}")
        chart = figure(draw, f"{keys}. Dotted: cost in proportion to pixels (exponent 1).")
    exponents = [
        [growing["of"], f"{growing['exponent']:.3f}", count(growing["from_px"]), count(growing["to_px"])]
        for growing in grown
    ]
    grows = table("Growth of cost with pixels", ["of", "exponent", "from, pixels", "to, pixels"], exponents)
    return section("Over sizes and settings", chart, grows if exponents else Markup(""), _points(results))


def accuracy_section(files: Sequence[tuple[Mapping[str, Any], float | None]]) -> Markup:
    """Returns mean and worst-class IoU against latency.

    Args:
        files: of each file its record with `accuracy`, and its median latency in ms where one was measured.
    """
    timed = [(file, time) for file, time in files if time]
    points = [
        Point(
            latency_ms=time,
            mean_iou=file["accuracy"]["mean_iou"],
            worst_iou=file["accuracy"]["worst_class"]["iou"],
        )
        for file, time in timed
    ]
    chart = Markup("")
    if points:
        draw = partial(scatter, points, told="Accuracy against latency; the figures are in the table below")
        chart = figure(draw, "Up and to the left is better. The letters are those of the table.")
    order = timed + [(file, time) for file, time in files if not time]
    rows = [_accuracy_row(letter(index), file, time) for index, (file, time) in enumerate(order)]
    head = ["", "file", "size", "precision", "p50, ms", "mean IoU", "worst class", "IoU of it"]
    data = sorted({_counted(file["accuracy"]) for file, _ in files})
    return section("Accuracy against latency", chart, table(f"IoU on {'; '.join(data)}", head, rows, words=range(4)))


def _peers(file: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    peers = result["peers"]
    rows = [
        Ratio(name=peer["name"], median=peer["ratio"]["median"], low=peer["ratio"]["low"], high=peer["ratio"]["high"])
        for peer in peers
    ]
    ours = result["ours_ms"]["percentiles"].get("p50")
    told = "Time of each engine over segtool's: " + "; ".join(
        f"{row.name} {row.median:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in rows
    )
    chart = Markup("")
    if rows:
        draw = partial(intervals, rows, title="time over segtool's, logarithmic", told=told)
        chart = figure(draw, "Right of the dashed line: slower than segtool. The bar is the bootstrap interval.")
    measured = [["segtool", plain(ours), "1", "", _threads(file["threads"]), "", ""]]
    measured += [_peer_row(peer) for peer in peers]
    head = ["engine", "p50, ms", "ratio", "same labels", "threads", "version", "note"]
    left_out = "; ".join(f"{absent['name']}: {absent['why']}" for absent in result["left_out"])
    return part(
        file_line(file),
        chart,
        table(f"Engines side by side, {count(result['rounds'])} rounds", head, measured, words=(0, 5, 6)),
        element("p", {"class": "kicker"}, f"Not measured: {left_out}.") if left_out else Markup(""),
    )


def _peer_row(peer: Mapping[str, Any]) -> list[str]:
    agreement = peer["label_agreement"]
    return [
        peer["name"],
        plain(peer["latency_ms"]["percentiles"].get("p50")),
        f"{peer['ratio']['median']:.2f}",
        "-" if agreement is None else f"{100 * agreement:.3f} %",
        _threads(peer["threads"]),
        str(peer["version"] or ""),
        str(peer["note"] or ""),
    ]


def _threads(threads: int | None) -> str:
    return "-" if threads is None else count(threads)


def _series(results: Results) -> list[tuple[str, list[tuple[float, float]]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for file, result in results:
        setting = f"{result['precision']}, {result['provider']}, threads {_threads(result['threads'])}"
        name = f"{file['network'] or file['file']}, {setting}"
        found.setdefault(name, []).append((result["width_px"] * result["height_px"], result["median_ms"]))
    return [(name, sorted(points)) for name, points in found.items()]


def _points(results: Results) -> Markup:
    rows = [
        [
            size(result),
            result["precision"],
            result["provider"],
            _threads(result["threads"]),
            plain(result["median_ms"]),
            percentile(result["latency_ms"], "p99"),
            plain(result["ms_per_megapixel"], 1),
            plain(result["peak_memory_mb"], 1),
            plain(result["largest_activation_mb"], 1),
        ]
        for _, result in results
    ]
    head = [
        "size",
        "precision",
        "provider",
        "threads",
        "median, ms",
        "p99, ms",
        "ms a megapixel",
        "peak memory, MB",
        "largest activation, MB",
    ]
    return table("Every point", head, rows, words=range(3))


def _accuracy_row(key: str, file: Mapping[str, Any], time: float | None) -> list[str]:
    accuracy = file["accuracy"]
    worst = accuracy["worst_class"]
    figures = [plain(time), f"{accuracy['mean_iou']:.4f}", worst["name"], f"{worst['iou']:.4f}"]
    return [key if time else "", file["file"], size(file), file["precision"], *figures]


def _counted(accuracy: Mapping[str, Any]) -> str:
    return f"{count(accuracy['frames'])} frames of {accuracy['data']}, {accuracy['split']}"
