"""Every error that segtool raises on purpose, as one tree, each with the exit code the command line gives it.

    SegtoolError
    |-- UsageError            2  an argument that can't be used (ValueError)
    |-- DataError             3  a data set, image or mask (ValueError)
    |   `-- FrameError        3  a frame handed to a Segmenter
    |-- ModelFileError        4  an ONNX file that is not usable (ValueError)
    |   |-- IntegrityError    4  its seal is absent or wrong
    |   |-- SpecError         4  its spec is absent, malformed, too new, or does not match the graph
    |   `-- SelfTestError     4  it does not answer its own golden frames as it was exported
    |-- CheckpointError       4  a run folder or checkpoint (ValueError)
    |-- DeviceError           5  the engine failed while running (RuntimeError)
    |   |-- ProviderUnavailable  5  an execution provider that was asked for is not there
    |   `-- DeviceLostError   5  the device is gone for this process: only a new process can use it
    |-- MissingPackage        5  an optional package is not installed (ImportError)
    |-- ClosedError           5  a Segmenter or Stream used after close() (RuntimeError)
    |-- ForkedError           5  a Segmenter or Stream used in a forked child (RuntimeError)
    |-- StorageError          6  disk full, no permission, read-only (OSError)
    |-- DivergedError         7  training produced numbers that are not finite (ArithmeticError)
    `-- GateError             1  a gate said no: parity, budget, regression (ValueError)

A message is one sentence with four facts: what was expected, what came, where, and what to do.
"""


class SegtoolError(Exception):
    """Base of the tree; never raised itself."""

    exit_code = 70


class UsageError(SegtoolError, ValueError):
    """An argument that can't be used."""

    exit_code = 2


class DataError(SegtoolError, ValueError):
    """A data set, image or mask that can't be used."""

    exit_code = 3


class FrameError(DataError):
    """A frame handed to a Segmenter that is not what the spec asks for."""


class ModelFileError(SegtoolError, ValueError):
    """An ONNX file that is not usable."""

    exit_code = 4


class IntegrityError(ModelFileError):
    """A model file whose seal is absent or does not match its bytes."""


class SpecError(ModelFileError):
    """A model file whose spec is absent, malformed, too new, or does not match its graph."""


class SelfTestError(ModelFileError):
    """A model file that does not answer its own golden frames here as it did where it was exported."""


class CheckpointError(SegtoolError, ValueError):
    """A run folder or checkpoint that is not usable."""

    exit_code = 4


class DeviceError(SegtoolError, RuntimeError):
    """The engine or its device failed while running."""

    exit_code = 5


class ProviderUnavailable(DeviceError):  # noqa: N818  # says what is so, as FileNotFound would
    """An execution provider that was asked for does not truly run here."""


class DeviceLostError(DeviceError):
    """The device failed in a way that only a new process gets over."""


class MissingPackage(SegtoolError, ImportError):  # noqa: N818  # likewise
    """An optional package that this operation needs is not installed."""

    exit_code = 5


class ClosedError(SegtoolError, RuntimeError):
    """A Segmenter or Stream was used after close()."""

    exit_code = 5


class ForkedError(SegtoolError, RuntimeError):
    """A Segmenter or Stream was carried across a fork and used in the child."""

    exit_code = 5


class StorageError(SegtoolError, OSError):
    """A file could not be written: disk full, no permission, read-only."""

    exit_code = 6


class DivergedError(SegtoolError, ArithmeticError):
    """Training produced numbers that are not finite."""

    exit_code = 7


class GateError(SegtoolError, ValueError):
    """A gate said no: parity, budget or regression."""

    exit_code = 1
