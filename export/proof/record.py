"""The signed-off record: which file was proven, against what, on which machine, by whom. Plain values, no torch."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from export.proof.parity import Parity
from runtime.model_file import ModelFile

SCHEMA_VERSION = 1


def file_facts(file: ModelFile) -> dict[str, object]:
    """What identifies a file, as a JSON object."""
    return {
        "name": file.path.name,
        "sha256": file.sha256,
        "bytes": len(file.data),
        "precision": file.spec.precision,
        "training": {key: file.spec.training.get(key) for key in ("run", "epoch", "data", "data_sha256")},
    }


def sign_off(
    parity: Parity,
    *,
    file: ModelFile,
    against: Mapping[str, object],
    machine: Mapping[str, object],
    notes: Sequence[str],
    signed: str | None,
) -> dict[str, object]:
    """Puts a record together.

    Args:
        parity: what was found; a failed one makes a record too, which says so.
        file: that was proven.
        against: JSON object: the pack or the run and its data, with their hashes.
        machine: JSON object: processor, GPUs, system, versions of the packages.
        notes: sentences that a reader must know.
        signed: name of who answers for it; None where nobody does.
    """
    report = parity.report()
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "parity-record",
        "passed": parity.passed,
        "proven": parity.proven,
        "signed": signed,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": file_facts(file),
        "against": dict(against),
        "provider": parity.provider,
        "gates_changed": report["gates_changed"],
        "notes": list(notes),
        "machine": dict(machine),
        "proof": report,
    }
