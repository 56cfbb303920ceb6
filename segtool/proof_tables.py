"""A proof on the terminal: labels, stages, classes, and what came of it. For `export` and `parity`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segtool.console import say, show_table

if TYPE_CHECKING:
    from export.proof.parity import Parity


def show_proof(name: str, parity: "Parity", notes: Sequence[str]) -> None:
    """Prints the tables of a proof, then what failed or is not proven, then the notes, then the verdict.

    Args:
        name: of the file.
        parity: what was found.
        notes: sentences that a reader must know.
    """
    from export.proof.report import (
        CLASSES_HEADER,
        OVERVIEW_HEADER,
        STAGES_HEADER,
        class_rows,
        overview_rows,
        reasons,
        stage_rows,
        verdict_line,
    )

    show_table(f"labels of {name}", OVERVIEW_HEADER, overview_rows(parity))
    if stages := stage_rows(parity):
        show_table("along the data's path", STAGES_HEADER, stages)
    show_table("classes", CLASSES_HEADER, class_rows(parity))
    for line in (*reasons(parity), *(f"note: {note}" for note in notes)):
        say(line)
    say(verdict_line(parity))
