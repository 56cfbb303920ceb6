"""What an exception means to the shell: an exit code and one line. Must not import what could itself fail to import."""

import errno
import sys
from dataclasses import dataclass

import click

USAGE, MISSING, STORAGE, UNEXPECTED, INTERRUPTED, READER_GONE = 2, 5, 6, 70, 130, 141

TRAIN_PACKAGES = ("torch", "torchvision", "accelerate", "onnx", "onnxscript", "safetensors", "torchinfo")
STORAGE_ADVICE = {
    errno.ENOSPC: "free some space and run again",
    errno.EDQUOT: "free some of your quota and run again",
    errno.EACCES: "check the permissions and run again",
    errno.EPERM: "check the permissions and run again",
    errno.EROFS: "choose a place that can be written and run again",
    errno.EIO: "check the disk and run again",
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a command ended.

    Attributes:
        exit_code: what the shell gets.
        line: what stderr gets, without a newline; empty where silence is right.
    """

    exit_code: int
    line: str = ""


def describe_failure(error: BaseException) -> Failure:
    """Maps an exception to its exit code and line; 1 comes from a `GateError` alone (or is passed on).

    Args:
        error: whatever a command raised, `SystemExit` and click's own exceptions included.
    """
    for describe in (_describe_stop, _describe_click, _describe_segtool, _describe_package, _describe_storage):
        failure = describe(error)
        if failure is not None:
            return failure
    message = f": {error}" if str(error) else ""
    return Failure(
        exit_code=UNEXPECTED,
        line=f"unexpected {type(error).__name__}{message}; run again with --debug for the traceback",
    )


def _describe_stop(error: BaseException) -> Failure | None:
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Failure(exit_code=INTERRUPTED, line="interrupted")
    if isinstance(error, BrokenPipeError):  # `segtool ... | head`: ends as SIGPIPE ends any other tool, without a word
        return Failure(exit_code=READER_GONE)
    if isinstance(error, click.exceptions.Exit):  # a command passes on how another one ended, which has told why
        return Failure(exit_code=error.exit_code)
    if not isinstance(error, SystemExit):
        return None
    if error.code is None or (isinstance(error.code, int) and error.code != 1):
        return Failure(exit_code=error.code or 0)
    # a library's sys.exit("text") or sys.exit(1): 1 is a gate's
    return Failure(
        exit_code=UNEXPECTED, line=f"something below ended the program with {error.code!r}; run again with --debug"
    )


def _describe_click(error: BaseException) -> Failure | None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return Failure(exit_code=USAGE, line="a command was expected and none came; pick one of those listed")
    if not isinstance(error, click.ClickException):
        return None
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "segtool"
    return Failure(exit_code=USAGE, line=f"{error.format_message().rstrip('.')}; see {command} --help")


def _describe_segtool(error: BaseException) -> Failure | None:
    # looked up and not imported: `runtime` refuses to be imported without onnxruntime, and a tree that nobody imported
    # has no exception of its own on the way
    tree = sys.modules.get("runtime.errors")
    if tree is None or not isinstance(error, tree.SegtoolError):
        return None
    return Failure(exit_code=int(error.exit_code), line=str(error))


def _describe_package(error: BaseException) -> Failure | None:
    package = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if package not in TRAIN_PACKAGES:
        return None
    return Failure(
        exit_code=MISSING,
        line=f"this command needs the package {package}, which could not be imported ({error}); "
        'run: pip install "segtool[train]"',
    )


def _describe_storage(error: BaseException) -> Failure | None:
    advice = STORAGE_ADVICE.get(error.errno or 0) if isinstance(error, OSError) else None
    if advice is None or not isinstance(error, OSError):
        return None
    where = f"{error.filename}: " if error.filename else ""
    return Failure(exit_code=STORAGE, line=f"{where}{error.strerror or error}; {advice}")
