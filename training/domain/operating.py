"""What a model does to parts, at a score: which it lets pass, which it rejects, and what that costs.

A part is rejected when anything is found in its image at that score or more.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING, Final

from tenants.permissions import Principal
from tenants.scope import tenant_scope
from training.domain.evaluated import read_evaluated
from training.domain.models import require_boxes, require_evaluation
from training.domain.queries import model_named
from training.models import Model

if TYPE_CHECKING:
    from training.domain.judging import Judged, Measured

CONFIDENCE: Final = 0.95
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True)
class Prices:
    """What a defective part that passes costs, and a good one that is rejected; in any one currency."""

    miss: Decimal
    false_reject: Decimal


@dataclass(frozen=True, slots=True)
class Point:
    """What happens to the evaluated parts from `score` on. Bounds are one-sided, of CONFIDENCE."""

    score: float
    defective: int
    escaped: int
    good: int
    rejected: int

    @property
    def escape_bound(self) -> float:
        """The largest share of defective parts that may pass."""
        return upper_bound(self.escaped, self.defective)

    @property
    def reject_bound(self) -> float:
        """The largest share of good parts that may be rejected."""
        return upper_bound(self.rejected, self.good)

    def cost(self, prices: Prices) -> Decimal:
        return prices.miss * self.escaped + prices.false_reject * self.rejected


@dataclass(frozen=True, slots=True)
class Operating:
    """A model's points, the lowest score first, the one of them that costs least, and what is taken for what there.

    `confusion` is as `judging.confusion` counts it: a row and a column a class, and one more of each. `curves` has for
    each class what `judging.precision_recall` measures at the points' scores.
    """

    model: Model
    points: list[Point]
    cheapest: Point
    confusion: list[list[int]]
    curves: "list[list[Measured]]"


def operating_points(*, model_id: uuid.UUID, prices: Prices, by: Principal) -> Operating:
    """What the model did to the parts that it was judged on. Opens the scope itself.

    Raises NotFound, NotForKind, NoEvaluation, TooLargeToShow or ModelDamaged.
    """
    with tenant_scope(by.tenant_id):
        model = model_named(model_id)
        require_boxes(model)
        evaluation = require_evaluation(model)
    from training.domain import judging  # noqa: PLC0415 - numpy, which the web process does without

    images = list(read_evaluated(evaluation, by=by).images.values())
    found = points(images)
    best, classes = cheapest(found, prices), len(model.classes)
    confusion = judging.confusion(images, score=best.score, classes=classes)
    return Operating(model, found, best, confusion, judging.precision_recall(images, classes=classes))


def points(images: Sequence["Judged"]) -> list[Point]:
    """One for each score that is tried, the lowest first."""
    from training.domain.judging import SCORES  # noqa: PLC0415 - numpy, which nothing else here needs

    best = [(bool(image.truth), image.found[0].score if image.found else 0.0) for image in images]
    defective = [score for is_defective, score in best if is_defective]
    good = [score for is_defective, score in best if not is_defective]
    return [
        Point(
            score=least,
            defective=len(defective),
            escaped=sum(score < least for score in defective),
            good=len(good),
            rejected=sum(score >= least for score in good),
        )
        for least in SCORES
    ]


def cheapest(found: Sequence[Point], prices: Prices) -> Point:
    """The point of least cost; of equals that of the lowest score, which lets the fewest defects pass."""
    return min(found, key=lambda point: (point.cost(prices), point.score))


def upper_bound(count: int, total: int) -> float:
    """The share that is exceeded with 5 % only by what was seen: `count` of `total` (Clopper and Pearson 1934).

    Of none seen that is 1 - 0.05 ** (1 / total); nothing was looked at: 1.
    """
    if count >= total:
        return 1.0
    low, high = count / total, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(count, total, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _at_most(count: int, total: int, share: float) -> float:
    """Probability of so many or fewer among `total`, each with probability `share`, 0 < share < 1."""
    if share <= 0:
        return 1.0
    return sum(
        exp(
            lgamma(total + 1) - lgamma(seen + 1) - lgamma(total - seen + 1)
            + seen * log(share) + (total - seen) * log1p(-share)
        )
        for seen in range(count + 1)
    )  # fmt: skip
