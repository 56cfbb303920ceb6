"""Every exit code, from a planted error."""

import errno
import sys

import click
import pytest

import runtime.errors as tree
from segtool.failure import describe_failure

DOCUMENTED = {
    tree.UsageError: 2,
    tree.DataError: 3,
    tree.FrameError: 3,
    tree.ModelFileError: 4,
    tree.IntegrityError: 4,
    tree.SpecError: 4,
    tree.CheckpointError: 4,
    tree.DeviceError: 5,
    tree.ProviderUnavailable: 5,
    tree.MissingPackage: 5,
    tree.ClosedError: 5,
    tree.ForkedError: 5,
    tree.DeviceLostError: 5,
    tree.SelfTestError: 4,
    tree.StorageError: 6,
    tree.DivergedError: 7,
    tree.GateError: 1,
}


def every_class(base):
    for each in base.__subclasses__():
        yield each
        yield from every_class(each)


@pytest.mark.parametrize("error", sorted(DOCUMENTED, key=lambda each: each.__name__))
def test_describe_failure_of_a_segtool_error_gives_its_code_and_message(error):
    failure = describe_failure(error("four facts"))
    assert (failure.exit_code, failure.line) == (DOCUMENTED[error], "four facts")


def test_describe_failure_table_covers_the_whole_tree():
    assert set(every_class(tree.SegtoolError)) == set(DOCUMENTED)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO])
def test_describe_failure_of_a_storage_errno_gives_6(number):
    failure = describe_failure(OSError(number, "what the system says", "some/file"))
    assert failure.exit_code == 6
    assert failure.line.startswith("some/file: what the system says; ")


@pytest.mark.parametrize("package", ["torch", "torch.nn", "accelerate", "onnx", "safetensors"])
def test_describe_failure_of_a_missing_training_package_gives_5_and_the_extra(package):
    failure = describe_failure(ModuleNotFoundError(f"No module named {package!r}", name=package))
    assert failure.exit_code == 5
    assert 'pip install "segtool[train]"' in failure.line
    assert package.partition(".")[0] in failure.line


@pytest.mark.parametrize(
    "error",
    [
        ValueError("odd"),
        KeyError("odd"),
        RecursionError("odd"),
        ModuleNotFoundError("odd", name="segtool.commands.odd"),
        FileNotFoundError(errno.ENOENT, "odd"),
        tree.SegtoolError("odd"),
    ],
)
def test_describe_failure_of_anything_else_gives_70(error):
    failure = describe_failure(error)
    assert failure.exit_code == 70
    assert "odd" in failure.line


def test_describe_failure_of_anything_else_says_to_run_with_debug():
    line = "unexpected ValueError: odd; run again with --debug for the traceback"
    assert describe_failure(ValueError("odd")).line == line
    assert describe_failure(ValueError()).line == line.replace(": odd", "")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_describe_failure_of_an_interrupt_gives_130(error):
    assert describe_failure(error).exit_code == 130


def test_describe_failure_of_a_closed_pipe_is_silent():
    failure = describe_failure(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert (failure.exit_code, failure.line) == (141, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SystemExit(), 0),
        (SystemExit(0), 0),
        (SystemExit(143), 143),
        (SystemExit(1), 70),
        (SystemExit("a text means 1 to Python"), 70),
        (click.exceptions.Exit(0), 0),
        (click.exceptions.Exit(130), 130),
        (click.exceptions.Exit(1), 1),
    ],
)
def test_describe_failure_of_an_exit_keeps_its_code_but_a_librarys_1_is_unexpected(error, code):
    assert describe_failure(error).exit_code == code


@pytest.mark.parametrize(
    "error", [click.UsageError("odd"), click.BadParameter("odd"), click.FileError("odd"), click.ClickException("odd")]
)
def test_describe_failure_of_clicks_own_errors_gives_2(error):
    failure = describe_failure(error)
    assert failure.exit_code == 2
    assert "odd" in failure.line
    assert failure.line.endswith("; see segtool --help")


def test_describe_failure_before_the_error_tree_is_imported_still_describes(monkeypatch):
    monkeypatch.delitem(sys.modules, "runtime.errors")
    assert describe_failure(ValueError("odd")).exit_code == 70
