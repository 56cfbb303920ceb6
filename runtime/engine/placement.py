"""Where the nodes run. (First draft; helper B writes it.)"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Placement:
    """..."""

    provider: str

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def placement_of(session: Any, provider: str, structure: Any, sha256: str, cuda_graph: str) -> Placement:
    """..."""
    return Placement(provider=provider)
