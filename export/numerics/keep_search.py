"""The smallest set of nodes to keep in float32 so that a network in half precision still gives good labels.

The judge is the emulation (emulation.py), since the CPU provider does no half arithmetic that could go wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.numerics.emulation import open_emulation
from export.numerics.half import KeepCost, convert, keep_cost, weights_beyond_half
from export.numerics.half_plan import PASSING, HalfNetwork, half_network, plan
from export.numerics.network import LOGITS, NORMALISED
from export.numerics.ranges import Ranges, measure_ranges
from export.numerics.session import open_unoptimised, with_output
from runtime.errors import DataError, GateError
from trainer.data.progress import track

Labels = NDArray[np.uint8]
Verdict = Callable[[Iterable[Labels]], bool]

_RANKING_FRAMES = 4  # enough to tell a broken layer from a sound one; every frame is asked in the verdict


@dataclass(frozen=True, kw_only=True)
class KeptNodes:
    """What the search decided.

    Attributes:
        kept: nodes decided on, in graph order; empty for a network that half precision suits.
        forced: nodes that compute in float32 because they read what a kept node gives.
        keep_float: what `half.to_half` takes to make this file: `kept`, and those of `forced` that hand on a tensor
            which half can't hold.
        reasons: one sentence for each of `kept`.
        trials: verdicts that were asked for.
        cost: over a network all in half.
    """

    kept: tuple[str, ...]
    forced: tuple[str, ...]
    keep_float: frozenset[str]
    reasons: tuple[str, ...]
    trials: int
    cost: KeepCost

    def report(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "kept": list(self.kept),
            "forced": list(self.forced),
            "reasons": list(self.reasons),
            "trials": self.trials,
            "cost": vars(self.cost),
        }


def find_kept_nodes(
    model: onnx.ModelProto,
    images: Sequence[NDArray[np.uint8]],
    passes: Verdict,
    ranges: Ranges | None = None,
) -> KeptNodes:
    """Searches the smallest set of nodes to keep in float32.

    First all half: a verdict that passes ends the search. Then the nodes at which values leave half's range on these
    frames. If that is not enough, also the nodes that harm most when they alone are half, as few of them as do. At last
    each decision is taken back once, and stays taken back where the verdict still passes.

    Args:
        model: float32.
        images: each as the graph's input takes it, batch dimension included.
        passes: is given the `labels` output of every image, in order, while they are computed, and says yes or no.
        ranges: of this model on these images, where they are known already.

    Raises:
        DataError: there is no frame.
        GateError: the verdict says no to the float32 network itself.
    """
    if len(images) == 0:
        raise DataError("search for nodes to keep in float32: expected one frame or more, got none; give some")
    search = _Search(model, images, passes)
    beyond = weights_beyond_half(search.network)
    if not beyond and search.passes_with(frozenset()):
        return search.result(frozenset(), frozenset(), {})
    ranges = ranges if ranges is not None else measure_ranges(model, images)
    overflowing = ranges.overflowing
    origins = _origins(search.network, overflowing, beyond)
    reasons = dict(_overflow_reasons(search.network, ranges, beyond))
    if not search.passes_with(_with_followers(search.network, origins, overflowing)):
        harmful = search.ranked(_with_followers(search.network, origins, overflowing))
        origins |= search.fewest_of(harmful, origins, overflowing)
    origins = search.pruned(origins, overflowing, frozenset(beyond))
    return search.result(origins, overflowing, reasons)


class _Search:
    """One search: the graph, its frames and the verdict, and how often that was asked."""

    def __init__(self, model: onnx.ModelProto, images: Sequence[NDArray[np.uint8]], passes: Verdict) -> None:
        self.model, self.images, self.passes = model, images, passes
        self.network = half_network(model)
        self.input = model.graph.input[0].name
        self.trials = 0

    def passes_with(self, keep_float: Set[str]) -> bool:
        """The verdict on the labels of all frames with these nodes in float32."""
        self.trials += 1
        session = self._open(plan(self.network, keep_float).float_nodes)
        return self.passes(self._labels(session))

    def ranked(self, fixed: Set[str]) -> list[str]:
        """Nodes by the harm each does when it alone is half, the worst first; those in float32 already are left out."""
        every = frozenset(node.name for node in self.network.nodes)
        taken = plan(self.network, fixed).float_nodes
        images = self._ranking_images()
        reference, _ = open_unoptimised(with_output(self.model, LOGITS))
        expected = [reference.run(["labels", LOGITS], {self.input: image}) for image in images]
        harm = {}
        # a node that only hands values on follows those before it, unless it is the first
        deciding = [n for n in self.network.nodes if n.op_type not in PASSING or NORMALISED in n.input]
        candidates = [node.name for node in deciding if node.name not in taken]
        for name in track(candidates, "ranking layers", len(candidates)):
            session = self._open(every - {name})
            harm[name] = _harm(expected, [session.run(["labels", LOGITS], {self.input: image}) for image in images])
        return sorted(candidates, key=lambda name: harm[name], reverse=True)

    def fewest_of(self, ranked: Sequence[str], origins: Set[str], overflowing: Set[str]) -> frozenset[str]:
        """The shortest beginning of `ranked` that passes, found by doubling and then halving."""

        def good(count: int) -> bool:
            return self.passes_with(_with_followers(self.network, origins | set(ranked[:count]), overflowing))

        low, high = 0, 1
        while not good(min(high, len(ranked))):
            if high >= len(ranked):
                raise GateError(
                    "search for nodes to keep in float32: expected the float32 network to pass the gate, it does "
                    "not; look at the gate and the frames"
                )
            low, high = high, 2 * high
        high = min(high, len(ranked))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if good(middle) else (middle, high)
        return frozenset(ranked[:high])

    def pruned(self, origins: Set[str], overflowing: Set[str], needed: Set[str]) -> frozenset[str]:
        """Without each node that is not missed, the last in the graph first."""
        left = set(origins)
        for node in reversed(self.network.nodes):
            if node.name in left - needed:
                without = left - {node.name}
                if self.passes_with(_with_followers(self.network, without, overflowing)):
                    left = without
        return frozenset(left)

    def result(self, origins: Set[str], overflowing: Set[str], reasons: dict[str, str]) -> KeptNodes:
        """The decision, with its cost."""
        keep_float = _with_followers(self.network, origins, overflowing)
        chosen = plan(self.network, keep_float)
        kept = tuple(node.name for node in self.network.nodes if node.name in origins)
        return KeptNodes(
            kept=kept,
            forced=tuple(n.name for n in self.network.nodes if n.name in chosen.float_nodes - origins),
            keep_float=keep_float,
            reasons=tuple(reasons.get(name, "in half it costs too many labels") for name in kept),
            trials=self.trials,
            cost=keep_cost(self.model, keep_float),
        )

    def _open(self, float_nodes: Set[str]) -> Any:  # noqa: ANN401  # onnxruntime has no types
        return open_emulation(convert(self.model, self.network, float_nodes))

    def _labels(self, session: Any) -> Iterator[Labels]:  # noqa: ANN401
        for image in track(self.images, "half precision, emulated", len(self.images)):
            yield session.run(["labels"], {self.input: image})[0]

    def _ranking_images(self) -> list[NDArray[np.uint8]]:
        count = min(_RANKING_FRAMES, len(self.images))
        return [self.images[i * len(self.images) // count] for i in range(count)]


def _with_followers(network: HalfNetwork, origins: Set[str], overflowing: Set[str]) -> frozenset[str]:
    """`origins`, and each node that reads a tensor kept in float32 and gives one that half can't hold."""
    keep = set(origins)
    for node in network.nodes:  # in order, so that one pass sees a follower's followers
        if not overflowing.isdisjoint(node.output) and node.name in plan(network, keep).forced:
            keep.add(node.name)
    return frozenset(keep)


def _origins(network: HalfNetwork, overflowing: Set[str], beyond: Iterable[str]) -> frozenset[str]:
    """Nodes of which half can't hold a weight, or the values they give although it holds those they read."""
    origins = set(beyond)
    for node in network.nodes:
        if not overflowing.isdisjoint(node.output) and node.name not in _with_followers(network, origins, overflowing):
            origins.add(node.name)
    return frozenset(origins)


def _overflow_reasons(network: HalfNetwork, ranges: Ranges, beyond: dict[str, str]) -> Iterator[tuple[str, str]]:
    by_name = {tensor.name: tensor for tensor in ranges.tensors}
    for node in network.nodes:
        worst = max((by_name[value].largest for value in node.output if value in by_name), default=0.0)
        if node.name in beyond:
            yield node.name, f"weight {beyond[node.name]} is beyond what half holds"
        elif any(by_name[value].overflows for value in node.output if value in by_name):
            yield node.name, f"values reach {worst:.3g}, half holds 65504"


def _harm(expected: list[list[Any]], got: list[list[Any]]) -> tuple[int, float]:
    """Labels that changed, then the mean error of the logits (Inf where one is not finite)."""
    changed = sum(int((a[0] != b[0]).sum()) for a, b in zip(expected, got, strict=True))
    errors = [float(np.abs(a[1].astype(np.float64) - b[1]).mean()) for a, b in zip(expected, got, strict=True)]
    error = float(np.mean(errors))
    return changed, error if np.isfinite(error) else float("inf")
