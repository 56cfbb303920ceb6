import inspect

import pytest

from runtime import errors

EXIT_CODES = {
    "UsageError": (2, ValueError),
    "DataError": (3, ValueError),
    "FrameError": (3, ValueError),
    "ModelFileError": (4, ValueError),
    "IntegrityError": (4, ValueError),
    "SpecError": (4, ValueError),
    "SelfTestError": (4, ValueError),
    "CheckpointError": (4, ValueError),
    "DeviceError": (5, RuntimeError),
    "ProviderUnavailable": (5, RuntimeError),
    "DeviceLostError": (5, RuntimeError),
    "MissingPackage": (5, ImportError),
    "ClosedError": (5, RuntimeError),
    "ForkedError": (5, RuntimeError),
    "StorageError": (6, OSError),
    "DivergedError": (7, ArithmeticError),
    "GateError": (1, ValueError),
}


@pytest.mark.parametrize("name", EXIT_CODES)
def test_error_has_its_exit_code_and_is_a_built_in_error_too(name: str) -> None:
    kind = getattr(errors, name)
    code, built_in = EXIT_CODES[name]
    assert kind.exit_code == code
    assert issubclass(kind, errors.SegtoolError)
    assert issubclass(kind, built_in)


def test_errors_of_the_module_are_those_of_its_tree() -> None:
    found = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert found == {*EXIT_CODES, "SegtoolError"}
    assert all(name in errors.__doc__ for name in found)
