"""Which arguments of `segtool parity` go together. Imports no engine."""

from pathlib import Path

from runtime.errors import UsageError


def require_sense(
    *,
    run: Path | None,
    data: Path | None,
    pack: Path | None,
    cache: Path | None,
    bisect: bool,
    record: Path | None,
    signed: str | None,
) -> None:
    """Refuses options that do not go together.

    Raises:
        UsageError: there are such.
    """
    if (run is None) == (pack is None):
        got = "neither" if run is None else "both"
        raise UsageError(f"expected --run RUN or --pack PACK.zip to compare with, got {got}; give one of them")
    if pack is not None and (data is not None or bisect):
        raise UsageError(
            f"--{'data' if data is not None else 'bisect'} goes with --run RUN, got --pack {pack}, which holds frames "
            "and answers but no network; leave it out"
        )
    if cache is not None and pack is None:
        raise UsageError(
            f"--cache {cache} goes with --pack PACK.zip, got --run {run}, whose proof runs stages that no engine was "
            "built for; leave it out"
        )
    if signed is not None and record is None:
        raise UsageError(f"--signed {signed!r} signs a record, got no --record; give --record FILE.json too")
