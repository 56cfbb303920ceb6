"""A camera's pace: frames in as they come, the newest labelled on time, each one accounted for."""

from .result import CameraCounts, Flag, Outcome, StreamHealth, StreamResult
from .stream import Stream

__all__ = ["CameraCounts", "Flag", "Outcome", "Stream", "StreamHealth", "StreamResult"]
