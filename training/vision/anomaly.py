"""What good images look like, learnt from good images alone, and from which score on an image is not like them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from training.vision.image_features import Load
from training.vision.image_graphs import SPECS
from training.vision.image_recipes import ANOMALY, ImageRecipe
from training.vision.subspaces import fit_folds, mean_hottest
from training.vision.weights import Floats


@dataclass(frozen=True)
class Threshold:
    """Scores at or above `value` are called anomalous; of images like the good ones at most `false_alarms` are."""

    value: float
    false_alarms: float


def train_anomaly(
    loads: Sequence[Load],
    folds: npt.NDArray[np.int64],
    recipe: ImageRecipe,
    *,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Floats], Threshold]:
    """Weights of the anomaly graph, and a threshold from scores out of fold; all images are good, at least two folds.

    `on_step` is called twice a fold; what it raises ends the work.
    """
    scores = np.zeros(len(loads))
    hottest = SPECS[ANOMALY].hottest
    fitted = fit_folds(loads, folds, recipe, on_step=on_step)
    for index, load in enumerate(loads):
        distances = fitted.without[int(folds[index])].distances(load().cells, relative=True)
        scores[index] = mean_hottest(distances, hottest)
    return fitted.whole.weights(), choose_threshold(scores, recipe.false_alarms)


def choose_threshold(scores: npt.NDArray[np.floating], false_alarms: float) -> Threshold:
    """From scores of n good images, none of which was learnt from by what scored it.

    With n of 1 / false_alarms - 1 or more it is their ceil((n + 1) (1 - false_alarms))-th smallest: a new image drawn
    like them is above it with a probability of at most `false_alarms`, whatever the scores' distribution (conformal
    prediction: Bates et al., "Testing for outliers with conformal p-values", 2023). Of fewer nothing better is certain
    than 1 / (n + 1), for the highest of them, and that is what is stated; the threshold is then raised to where a
    normal distribution leaves `false_alarms` above a new one, if that is higher.

    That is exact where the model scores new images as what scored these would. Siblings did, which knew some good
    images less, so the model's own scores are rather lower; a run counts its false alarms on images left out besides.
    """
    ordered, count = np.sort(scores), len(scores)
    rank = math.ceil((count + 1) * (1 - false_alarms) - 1e-9)
    if rank <= count:
        limit, certain = float(ordered[rank - 1]), false_alarms
    else:
        limit, certain = max(float(ordered[-1]), _bound_next(ordered, false_alarms)), 1 / (count + 1)
    # A score as high as that of a good image is no alarm.
    return Threshold(float(np.nextafter(np.float32(limit), np.float32(np.inf))), certain)


def _bound_next(scores: npt.NDArray[np.floating], share: float) -> float:
    """What one more score exceeds with the probability `share`: the bound of a normal prediction interval.

    A score is the root of a share, so its log-odds, of what is outside the subspace to what is inside, are taken to be
    normal. Student's t is expanded as in Abramowitz and Stegun, "Handbook of mathematical functions", 26.7.5.
    """
    shares = np.clip(scores.astype(np.float64) ** 2, 1e-9, 1 - 1e-9)
    odds = np.log(shares / (1 - shares))
    z, freedom = NormalDist().inv_cdf(1 - share), len(odds) - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    bound = odds.mean() + t * odds.std(ddof=1) * math.sqrt(1 + 1 / len(odds))
    return math.sqrt(1 / (1 + math.exp(-bound)))
