"""The entry point: finds the command by name, runs it, and turns whatever it raises into one line and an exit code.

Must not import a command before it is asked for: `segtool --help` and half of the commands work without torch.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from segtool import __version__
from segtool.console import complain, say
from segtool.failure import describe_failure

COMMANDS = {
    "data": "segtool.commands.data:data",
    "train": "segtool.commands.train:train",
    "export": "segtool.commands.export:export",
    "parity": "segtool.commands.parity:parity",
    "pack": "segtool.commands.pack:pack",
    "build": "segtool.commands.build:build",
    "eval": "segtool.commands.evaluate:evaluate",
    "predict": "segtool.commands.predict:predict",
    "stream": "segtool.commands.stream:stream",
    "bench": "segtool.commands.bench:bench",
    "compare": "segtool.commands.compare:compare",
    "inspect": "segtool.commands.inspect:inspect",
    "selftest": "segtool.commands.selftest:selftest",
    "doctor": "segtool.commands.doctor:doctor",
    "demo": "segtool.commands.demo:demo",
}

EXAMPLES = """\b
Examples:
  segtool demo                                      the whole job on synthetic scenes
  segtool train cityscapes_pairs.zip --out runs/a   train a network
  segtool export runs/a --fp16                      write runs/a/model.fp16.onnx with its proof
  segtool bench runs/a/model.fp16.onnx              measure it

\b
Exit codes: 0 done, 1 a gate said no, 2 wrong usage, 3 data or frame, 4 model file or checkpoint,
5 device or missing package, 6 storage, 7 training diverged, 70 unexpected, 130/143 interrupted."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Returns the command names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Imports one command; None where the name is not one."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, epilog=EXAMPLES, context_settings={"max_content_width": 110})
@click.version_option(__version__, prog_name="segtool")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error; may stand anywhere.")
def segtool() -> None:
    """From a folder of labelled street scenes to a label map for every camera frame, on time, with proof."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and ends the process with its documented exit code.

    Args:
        arguments: what follows the program's name; `sys.argv[1:]` where None.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs one command; whatever it raises becomes one line on stderr and an exit code.

    Click's own `main` is not used: it would end with 1 on a closed pipe, and 1 is a gate's alone.

    Returns:
        The exit code.
    """
    debug, arguments = _take_debug(arguments)
    try:
        _accept_any_name()
        with segtool.make_context("segtool", list(arguments)) as context:
            segtool.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the last line of the program: every error ends as an exit code
        return _report(error, debug=debug)
    return 0


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    # taken out here so that it works behind any command: who reads "run again with --debug" puts it at the end
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    before = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(before) < end, before + list(arguments[end:])


def _accept_any_name() -> None:
    # a file name that the terminal's encoding lacks is shown escaped instead of ending the command
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _report(error: BaseException, *, debug: bool) -> int:
    failure = describe_failure(error)
    if debug and failure.exit_code != 0:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    try:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            say(error.format_message())
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # nobody reads, or the disk is full: without this the interpreter's own last flush fails and exits 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if failure.line:
        complain(failure.line)
    return failure.exit_code


if __name__ == "__main__":
    main()
