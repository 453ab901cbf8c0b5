"""What a model that judges whole images adds to the shared graphs, and what it says of a picture.

Imports numpy and onnxruntime, and no torch: only the process that serves predictions imports this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.vision.weights import Floats


@dataclass(frozen=True)
class Judged:
    """`outputs` are the head graph's: `probabilities` (K,), or `score` (1,) and `heat` (h, w)."""

    kind: str
    outputs: Mapping[str, Floats]
    # From this score on a picture is anomalous.
    threshold: float | None


@dataclass(frozen=True)
class JudgePart:
    """Weights, given to the shared head graph with each call: they are few, and no session of its own is worth it."""

    kind: str
    weights: dict[str, Floats]
    head_graph: str
    feature_graph: str
    threshold: float | None

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(weight.nbytes for weight in self.weights.values())


def judge_part(facts: Mapping[str, Any], weights: dict[str, Floats]) -> JudgePart:
    """From a model's description. Raises KeyError, TypeError or ValueError for one that is none."""
    threshold = facts.get("threshold")
    return JudgePart(
        kind=str(facts["kind"]),
        weights=weights,
        head_graph=str(facts["head_graph"]),
        feature_graph=str(facts["feature_graph"]),
        threshold=None if threshold is None else float(threshold),
    )
