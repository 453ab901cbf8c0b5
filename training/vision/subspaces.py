"""The subspace that good places of images lie in, and how far from it others are.

The residual of a principal component analysis, known as the Q statistic (Jackson and Mudholkar, "Control procedures for
residuals associated with principal component analysis", 1979). What is known of the places are their moments, so
memory does not grow with their number.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.vision.image_features import Load
from training.vision.image_graphs import CELL_BASIS, CELL_MEAN, CELL_SCALE
from training.vision.image_recipes import ImageRecipe
from training.vision.weights import Floats

Cells = npt.NDArray[np.floating]  # (C, n)
_BATCH = 4096  # cells that are multiplied at once
ITERATIONS, SPARE = 8, 32  # of the search for directions; directions


@dataclass(frozen=True)
class Moments:
    """Of cells of C channels: how many, their sum (C,), and the sum of their outer products (C, C)."""

    count: int
    total: torch.Tensor
    products: torch.Tensor

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.total + other.total, self.products + other.products)

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(self.count - other.count, self.total - other.total, self.products - other.products)


@dataclass(frozen=True)
class Subspace:
    """As it is stored, in half precision: what is measured while training is what will be served."""

    mean: Floats  # (C,)
    scale: Floats  # (C,)
    basis: Floats  # (C, k), orthonormal columns

    def weights(self) -> dict[str, Floats]:
        return {CELL_MEAN: self.mean, CELL_SCALE: self.scale, CELL_BASIS: self.basis}

    def distances(self, cells: Cells, *, relative: bool) -> Floats:
        """What image_graphs computes of the cells (C, n): (n,)."""
        x = (torch.from_numpy(cells.astype(np.float32)) - torch.from_numpy(self.mean)[:, None]) / torch.from_numpy(
            self.scale
        )[:, None]
        whole, known = (x * x).sum(dim=0), (torch.from_numpy(self.basis).T @ x).square().sum(dim=0)
        rest = (whole - known).clamp(min=0)
        found: Floats = (rest / whole.clamp(min=1e-6) if relative else rest).sqrt().numpy()
        return found


@dataclass(frozen=True)
class FoldedSubspaces:
    """The subspace of all images, and of all but each fold's, by fold."""

    whole: Subspace
    without: dict[int, Subspace]


def fit_folds(
    loads: Sequence[Load],
    folds: npt.NDArray[np.int64],
    recipe: ImageRecipe,
    *,
    on_step: Callable[[], None] = lambda: None,
) -> FoldedSubspaces:
    """Subspaces of images in at least two folds; `on_step` is called twice a fold."""
    width, moments = loads[0]().cells.shape[0], {}
    for fold in np.unique(folds):
        on_step()
        own = (load().cells for load, its in zip(loads, folds, strict=True) if its == fold)
        moments[int(fold)] = measure_moments(own, width)
    every = sum(moments.values(), start=measure_moments([], width))
    without = {}
    for number, part in moments.items():
        on_step()
        without[number] = _fit(every - part, recipe)
    return FoldedSubspaces(_fit(every, recipe), without)


def _fit(moments: Moments, recipe: ImageRecipe) -> Subspace:
    return fit_subspace(moments, count_components(moments.count, recipe.components, recipe.cells_a_component))


def measure_moments(images: Iterable[Cells], width: int) -> Moments:
    """Moments of all cells of the images; each is (width, n)."""
    total = torch.zeros(width, dtype=torch.float64)
    products = torch.zeros(width, width, dtype=torch.float64)
    count, waiting = 0, list[Cells]()
    for cells in images:
        waiting.append(cells)
        if sum(other.shape[1] for other in waiting) >= _BATCH:
            count += _add(waiting, total, products)
            waiting.clear()
    return Moments(count + _add(waiting, total, products), total, products)


def _add(waiting: list[Cells], total: torch.Tensor, products: torch.Tensor) -> int:
    if not waiting:
        return 0
    x = torch.from_numpy(np.concatenate(waiting, axis=1).astype(np.float32))
    total += x.double().sum(dim=1)
    products += (x @ x.T).double()
    return x.shape[1]


def fit_subspace(moments: Moments, components: int) -> Subspace:
    """The directions in which the cells vary most, each channel scaled by its deviation; moments of at least one."""
    mean = moments.total / moments.count
    covariance = moments.products / moments.count - torch.outer(mean, mean)
    deviation = covariance.diagonal().clamp(min=0).sqrt()
    scale = deviation + 0.05 * deviation.median() + 1e-3  # a channel that hardly varies must not decide
    directions = _find_directions(covariance / scale / scale[:, None], components)
    return Subspace(*(_as_stored(x) for x in (mean, scale, directions)))


def _find_directions(covariance: torch.Tensor, count: int) -> torch.Tensor:
    """Orthonormal (C, count), in which the variance is largest: by subspace iteration from a random start, with some
    directions to spare (Halko, Martinsson and Tropp, "Finding structure with randomness", 2011). Twice as fast as all
    eigenvectors; where the last ones are not exact, others of all but the same variance stand in for them."""
    shape, fixed = (len(covariance), min(len(covariance), count + SPARE)), torch.Generator().manual_seed(0)
    basis: torch.Tensor = torch.linalg.qr(torch.randn(shape, generator=fixed, dtype=torch.float64))[0]
    for _ in range(ITERATIONS):
        basis = torch.linalg.qr(covariance @ basis)[0]
    turn = torch.linalg.eigh(basis.T @ covariance @ basis).eigenvectors
    return torch.matmul(basis, turn[:, -count:])


def count_components(cells: int, most: int, cells_a_component: int) -> int:
    """As many as the cells support: few cells would otherwise span whatever they show."""
    return max(1, min(most, cells // cells_a_component))


def mean_hottest(distances: Floats, per_cent: int) -> float:
    """What image_graphs computes as score."""
    count = max(1, (len(distances) * per_cent + 50) // 100)
    return float(np.sort(distances)[-count:].mean())


def _as_stored(x: torch.Tensor) -> Floats:
    return np.ascontiguousarray(x.numpy().astype(np.float16).astype(np.float32))
