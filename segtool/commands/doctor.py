"""`segtool doctor`: what this machine can really do, and what to install for the rest. Imports no torch to say so."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from segtool.failure import TRAIN_PACKAGES

if TYPE_CHECKING:
    from runtime.engine.providers import ProviderStatus

EXAMPLES = """\b
Examples:
  segtool doctor
  segtool doctor > report.txt      to send along with a question"""


@click.command(epilog=EXAMPLES, short_help="Show what this machine can do, and what to install.")
def doctor() -> None:
    """Show versions, CPU, GPU, and which providers really run a model here (and why the others don't)."""
    from benchmarks.machine import machine_record, package_versions
    from segtool.console import say, show_table

    machine = machine_record()
    train = package_versions(TRAIN_PACKAGES)
    show_table("machine", ("", ""), machine_rows(machine))
    show_table("versions", ("", ""), _version_rows(machine, train))

    from runtime.engine.nvidia import library_versions  # after the tables: without an engine it raises what to install
    from runtime.engine.providers import usable_providers

    statuses = usable_providers()
    show_table(
        "providers", ("", "runs", ""), [(each.name, "yes" if each.usable else "no", each.reason) for each in statuses]
    )
    # of the libraries that those tests have loaded
    libraries = library_versions()
    if libraries:
        show_table("CUDA libraries", ("", ""), list(libraries.items()))
    for line in advice(machine, train, statuses):
        say(line)


def machine_rows(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the table rows of a `machine_record`; what could not be read is "-"."""
    memory, load = machine["memory_mb"], machine["load_average"]
    return [
        ("cpu", machine["cpu"]),
        ("flags", " ".join(machine["cpu_flags"]) or "-"),
        ("cores", f"{machine['cores_usable']} usable of {machine['cores']}"),
        ("clock", _clock(machine)),
        ("memory", f"{_gb(memory['available'])} free of {_gb(memory['total'])}"),
        ("load", " ".join(f"{value:.2f}" for value in load) if load else "-"),
        ("gpu", "; ".join(machine["gpus"]) or "none (nvidia-smi is absent or lists none)"),
        ("system", machine["os"]),
    ]


def advice(machine: Mapping[str, Any], train: Mapping[str, str], statuses: tuple["ProviderStatus", ...]) -> list[str]:
    """Returns what to do about what does not work, one line each; empty where everything does.

    Args:
        machine: a `machine_record`.
        train: versions of the training packages that are installed.
        statuses: what each provider can do here.
    """
    lines = []
    absent = [name for name in TRAIN_PACKAGES if name not in train]
    if absent:
        lines.append(f'train and export need {", ".join(absent)}: pip install "segtool[train]"')
    usable = {each.name for each in statuses if each.usable}
    if machine["gpus"] and not usable & {"cuda", "tensorrt"}:
        lines.append('a GPU is here but no provider runs on it: pip install "segtool[gpu]"')
    engines = [name for name in machine["packages"] if name.startswith("onnxruntime")]
    if len(engines) > 1:
        lines.append(
            f"{' and '.join(engines)} overwrite each other's files: uninstall them all, then install only one again"
        )
    return lines


def _version_rows(machine: Mapping[str, Any], train: Mapping[str, str]) -> list[tuple[str, str]]:
    from segtool import __version__

    packages: dict[str, str] = {"python": machine["python"], **machine["packages"], "segtool": __version__}
    absent = {name: "not installed" for name in TRAIN_PACKAGES if name not in train}
    return [*packages.items(), *train.items(), *absent.items()]


def _clock(machine: Mapping[str, Any]) -> str:
    now, highest, governor = machine["clock_mhz"], machine["clock_max_mhz"], machine["governor"]
    told = [f"{now:.0f} MHz" if now else "", f"at most {highest:.0f} MHz" if highest else "", governor or ""]
    return ", ".join(filter(None, told)) or "-"


def _gb(megabytes: float | None) -> str:
    return "?" if megabytes is None else f"{megabytes / 1e3:.1f} GB"
