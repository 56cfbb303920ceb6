"""segtool's runtime: a sealed model file, camera frames in, label maps out. Needs numpy and ONNX Runtime, nothing else.

In a vehicle it is installed alone, as the wheel `segtool-runtime`, and imported as `segtool_runtime`.
"""

from .camera import CameraSpec
from .errors import (
    ClosedError,
    DataError,
    DeviceError,
    DeviceLostError,
    ForkedError,
    FrameError,
    IntegrityError,
    MissingPackage,
    ModelFileError,
    ProviderUnavailable,
    SegtoolError,
    SelfTestError,
    SpecError,
    UsageError,
)

__version__ = "0.1.0"

try:
    import numpy  # noqa: F401  # only to see that it is there
    import onnxruntime  # noqa: F401
except ImportError as error:
    raise MissingPackage(
        f"segtool-runtime {__version__}: expected numpy and ONNX Runtime to be installed, got: {error}; "
        'pip install "segtool-runtime[cpu]" for ONNX Runtime on the CPU, or "segtool-runtime[gpu]" for NVIDIA GPUs'
    ) from error

from .engine.placement import Placement
from .engine.providers import ProviderStatus, usable_providers
from .events import EVENTS, Event
from .golden import GoldenFrame
from .health import Health, State
from .metrics import Scores, confusion_matrix, scores
from .model_file import ModelFile, load_model_file
from .options import EngineOptions
from .overlay import blend, colourise
from .result import Result
from .segmenter import Segmenter
from .selftest import SelfTest, self_test
from .spec import ModelSpec
from .stream import CameraCounts, Flag, Outcome, Stream, StreamHealth, StreamResult

__all__ = [
    "EVENTS",
    "CameraCounts",
    "CameraSpec",
    "ClosedError",
    "DataError",
    "DeviceError",
    "DeviceLostError",
    "EngineOptions",
    "Event",
    "Flag",
    "ForkedError",
    "FrameError",
    "GoldenFrame",
    "Health",
    "IntegrityError",
    "MissingPackage",
    "ModelFile",
    "ModelFileError",
    "ModelSpec",
    "Outcome",
    "Placement",
    "ProviderStatus",
    "ProviderUnavailable",
    "Result",
    "Scores",
    "Segmenter",
    "SegtoolError",
    "SelfTest",
    "SelfTestError",
    "SpecError",
    "State",
    "Stream",
    "StreamHealth",
    "StreamResult",
    "UsageError",
    "__version__",
    "blend",
    "colourise",
    "confusion_matrix",
    "load_model_file",
    "scores",
    "self_test",
    "usable_providers",
]
