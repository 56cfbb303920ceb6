"""Whether a run can go on exactly as if it had never stopped: what decides its weights, then and now."""

from typing import Any

from runtime.errors import CheckpointError

FREE = {"epochs"}  # may grow; the schedule then follows the new total
FIXED = ("network.", "optimiser.kind", "label_space.")  # without these the stored numbers have no place


def settle_differences(record: dict[str, Any], now: dict[str, Any], where: str, *, allow_inexact: bool) -> list[str]:
    """Compares what a run was trained with and what it would go on with.

    Args:
        record: of the checkpoint.
        now: of this sitting, the same keys: config, label_space, data, processes, precision.
        where: the checkpoint, for messages.
        allow_inexact: take differences that leave the stored numbers usable.

    Returns:
        What makes the resume inexact, for the record: a phrase for each difference that was taken.

    Raises:
        CheckpointError: there are differences and they were not allowed, or can't be.
    """
    before, after = _facts(record), _facts(now)
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    differences = {name: f"{name} {before.get(name)}, now {after.get(name)}" for name in changed if name not in FREE}
    if record["data"]["sha256"] != now["data"]["sha256"]:
        differences["data"] = f"other data ({_data(record)}, now {_data(now)})"
    fixed = [text for name, text in differences.items() if name.startswith(FIXED)]
    if fixed:
        raise CheckpointError(
            f"{where}: was trained with {'; '.join(fixed)}, which its weights can't follow; "
            "give the same again, or train anew in another --out"
        )
    if differences and not allow_inexact:
        raise CheckpointError(
            f"{where}: was trained with {'; '.join(differences.values())}, so the resume would not be exact; "
            "give the same again, allow it by --allow-inexact, or train anew in another --out"
        )
    return list(differences.values())


def _facts(record: dict[str, Any]) -> dict[str, Any]:
    """Everything that decides a run's weights, one value a name."""
    return {
        **_flat(record["config"]),
        **{f"label_space.{name}": value for name, value in record["label_space"].items() if name != "palette"},
        "unsure": record["data"]["unsure"],
        "processes": record["processes"],
        "arithmetic": record["precision"],
    }


def _data(record: dict[str, Any]) -> str:
    return f"{record['data']['name']}, SHA-256 {record['data']['sha256'][:12]}"  # the name alone may change


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
