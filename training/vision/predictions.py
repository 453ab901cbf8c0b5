"""What a detector answers for one image. Needs numpy alone: serving, scoring and comparing all speak of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Prediction:
    """Boxes (n, 4) as x1, y1, x2, y2 in image pixels, scores (n,) and classes (n,), best first."""

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
