"""Which class an image as a whole is of: logistic regression on pooled features, and on how unlike good it looks.

The regression is multinomial, with an L2 penalty, and sees what is common to the whole image. A small defect drowns in
that; so the residual from the subspace of good cells (`subspaces`) is a second opinion. What either weighs is learnt
from answers out of fold, as in stacking (Wolpert, "Stacked generalization", 1992), with a prior that keeps few images
from saying much; the same step calibrates the probabilities, as temperature scaling does (Guo et al., "On calibration
of modern neural networks", 2017).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from training.vision.image_features import Load
from training.vision.image_graphs import POOL_BIAS, POOL_MEAN, POOL_WEIGHT, SPECS, SURPRISE_WEIGHT
from training.vision.image_recipes import CLASSIFICATION, ImageRecipe
from training.vision.subspaces import Subspace, fit_folds, mean_hottest
from training.vision.weights import Floats

PENALTIES = tuple(10.0 ** (step / 2) for step in range(2, -9, -1))  # strongest first: each begins where the last ended
TEMPERATURES = tuple(2.0 ** (step / 4) for step in range(-12, 13))
BIAS_PENALTY = 1e-3  # without any, a class that a fold lacks would drive its bias to minus infinity
MOST_ROWS, MOST_DIRECTIONS = 2000, 1024  # of the span in which weights are sought
LEAST_REFERENCE = 5  # images, for a subspace
Linear = tuple[torch.Tensor, torch.Tensor]  # (r, K), (K,)


@dataclass(frozen=True)
class Lesson:
    """Images to learn from: their descriptions, outputs (n,) of `count` ones, and inner folds (n,).

    `reference` is the output whose images say what good looks like.
    """

    loads: Sequence[Load]
    outputs: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int64]
    count: int
    reference: int


def train_classifier(
    lesson: Lesson, recipe: ImageRecipe, *, seed: int, on_step: Callable[[], None] = lambda: None
) -> dict[str, Floats]:
    """The weights of the classification graph.

    `on_step` is called before each penalty, and twice a fold; what it raises ends the work.
    """
    pooled = np.stack([load().pooled for load in lesson.loads]).astype(np.float32)
    mean = pooled.mean(axis=0)
    deviation = pooled.std(axis=0)
    scale = (deviation + 0.05 * np.median(deviation) + 1e-6) * np.float32(np.sqrt(pooled.shape[1]))
    rows, back = find_span((pooled - mean) / scale, seed)
    penalty, logits = choose_penalty(rows, lesson, on_step)
    surprises, subspace = measure_surprises(lesson, recipe, on_step)
    middle, spread = float(surprises.mean()), float(surprises.std()) or 1.0
    sharpness, turn, shift = stack(logits, (surprises - middle) / spread, lesson.outputs)
    weight, bias = fit_linear(rows, functional.one_hot(torch.from_numpy(lesson.outputs), lesson.count), penalty)
    return {
        POOL_MEAN: mean,
        POOL_WEIGHT: (sharpness * (back @ weight).numpy() / scale[:, None]).astype(np.float32),
        POOL_BIAS: (sharpness * bias.numpy() + shift - turn * middle / spread).astype(np.float32),
        SURPRISE_WEIGHT: (turn / spread).astype(np.float32),
        **subspace.weights(),
    }


def find_span(z: Floats, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates (n, r) of the rows z (n, D) in the span of (at most 2,000 of) them, and what leads back (D, r).

    There are fewer images than features, and the best weights lie in the span of the images: a penalised problem of D
    unknowns is one of r. Of more rows a sample spans what is sought, as Nyström's method does (Williams and Seeger,
    "Using the Nyström method to speed up kernel machines", 2001).
    """
    x = torch.from_numpy(z)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(z))[:MOST_ROWS])
    some = x[torch.from_numpy(drawn)]
    values, vectors = torch.linalg.eigh((some @ some.T).double())
    kept = (values > 1e-6 * values.max()).nonzero()[:, 0][-MOST_DIRECTIONS:]
    back = (some.T.double() @ vectors[:, kept]) / values[kept].sqrt()
    return (x @ back.float()).double(), back


def fit_linear(
    rows: torch.Tensor, targets: torch.Tensor, penalty: float, start: Linear | None = None, *, steps: int = 100
) -> Linear:
    """Weights and biases that minimise mean cross-entropy + penalty / 2 · |weights|²; rows (n, r), targets (n, K)."""
    if start is None:
        zeros = torch.zeros(rows.shape[1], targets.shape[1], dtype=torch.float64)
        start = zeros, zeros.new_zeros(targets.shape[1])
    weight, bias = (part.clone().requires_grad_() for part in start)

    def loss() -> torch.Tensor:
        entropy = functional.cross_entropy(rows @ weight + bias, targets.double())
        return entropy + penalty / 2 * weight.square().sum() + BIAS_PENALTY / 2 * bias.square().sum()

    _minimise(loss, [weight, bias], steps)
    return weight.detach(), bias.detach()


def choose_penalty(
    rows: torch.Tensor, lesson: Lesson, on_step: Callable[[], None] = lambda: None
) -> tuple[float, npt.NDArray[np.float64]]:
    """The penalty whose logits out of fold, at their best temperature, have the least log loss; and those logits."""
    targets = functional.one_hot(torch.from_numpy(lesson.outputs), lesson.count)
    starts: dict[int, Linear] = {}
    found: list[tuple[float, float, torch.Tensor]] = []
    for penalty in PENALTIES:
        on_step()
        logits = torch.zeros(targets.shape, dtype=torch.float64)
        for fold in np.unique(lesson.folds):
            out = torch.from_numpy(lesson.folds == fold)
            starts[fold] = weight, bias = fit_linear(rows[~out], targets[~out], penalty, starts.get(fold))
            logits[out] = rows[out] @ weight + bias
        losses = [float(functional.cross_entropy(logits * t, targets.double())) for t in TEMPERATURES]
        found.append((min(losses), penalty, logits))
    _, penalty, logits = min(found, key=lambda one: one[0])
    return penalty, logits.numpy()


def measure_surprises(
    lesson: Lesson, recipe: ImageRecipe, on_step: Callable[[], None]
) -> tuple[npt.NDArray[np.float64], Subspace]:
    """How far each image is from the reference images of other folds, (n,); and the subspace of all of them.

    All nothing where there are too few reference images.
    """
    chosen, hottest = lesson.outputs == lesson.reference, SPECS[CLASSIFICATION].hottest
    surprises = np.zeros(len(lesson.loads))
    if chosen.sum() < LEAST_REFERENCE or len(np.unique(lesson.folds[chosen])) < 2:
        nothing = np.zeros(lesson.loads[0]().cells.shape[0], np.float32)
        return surprises, Subspace(nothing, nothing + 1, nothing[:, None])
    own = [load for load, is_chosen in zip(lesson.loads, chosen, strict=True) if is_chosen]
    fitted = fit_folds(own, lesson.folds[chosen], recipe, on_step=on_step)
    for index, load in enumerate(lesson.loads):
        subspace = fitted.without.get(int(lesson.folds[index]), fitted.whole)
        surprises[index] = mean_hottest(subspace.distances(load().cells, relative=False), hottest)
    return surprises, fitted.whole


def stack(
    logits: npt.NDArray[np.float64], surprises: npt.NDArray[np.float64], outputs: npt.NDArray[np.int64]
) -> tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How the logits out of fold (n, K) are to be sharpened (a factor), turned by the surprises (n,), and shifted
    ((K,) each), for the most probable outputs: with a standard normal prior of each, the factor's logarithm too."""
    z, s, y = torch.from_numpy(logits), torch.from_numpy(surprises)[:, None], torch.from_numpy(outputs)
    parts = [torch.zeros(count, dtype=torch.float64, requires_grad=True) for count in (1, z.shape[1], z.shape[1])]

    def loss() -> torch.Tensor:
        sharpness, turn, shift = parts
        entropy = functional.cross_entropy(sharpness.exp() * z + s * turn + shift, y)
        return entropy + sum(part.square().sum() for part in parts) / (2 * len(y))

    _minimise(loss, parts, 200)
    sharpness, turn, shift = (part.detach() for part in parts)
    return float(sharpness.exp()), turn.numpy(), shift.numpy()


def _minimise(loss: Callable[[], torch.Tensor], parts: list[torch.Tensor], steps: int) -> None:
    optimiser = torch.optim.LBFGS(
        parts, max_iter=steps, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-6,
        tolerance_change=1e-10,
    )  # fmt: skip

    def close() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return value

    optimiser.step(close)  # type: ignore[no-untyped-call]  # as above
