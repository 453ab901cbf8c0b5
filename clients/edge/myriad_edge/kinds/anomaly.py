"""Anomaly: how unlike the good images a whole image is, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from myriad_edge.kinds.interface import Arrays, Kind, expectation, no_sense, output
from myriad_edge.manifest import Manifest, refuse
from myriad_edge.pictures import ALARM, CALM, enlarged, write_caption

_GLOW: Final = "#ff1744"
_OPACITY: Final = 0.65  # of the hottest place: what is there must still be seen


@dataclass(frozen=True)
class Anomalousness:
    score: float
    threshold: float
    heat: npt.NDArray[np.float32]

    @property
    def anomalous(self) -> bool:
        return self.score >= self.threshold

    def to_json(self) -> dict[str, object]:
        # Not rounded: beside a threshold of as many digits, a score must not change sides.
        return {"score": self.score, "threshold": self.threshold, "anomalous": self.anomalous}

    def draw(self, picture: Image.Image) -> Image.Image:
        canvas, _ = enlarged(picture)
        mask = Image.fromarray(self._glow()).resize(canvas.size, Image.Resampling.BILINEAR)
        canvas = Image.composite(Image.new("RGB", canvas.size, _GLOW), canvas, mask)
        verdict = "anomalous" if self.anomalous else "good"
        write_caption(canvas, f"{verdict} {self.score:.3g} / {self.threshold:.3g}", ALARM if self.anomalous else CALM)
        return canvas

    def _glow(self) -> npt.NDArray[np.uint8]:
        """Opacity of the glow: from the coolest to the hottest place, and fainter the farther from an alarm.

        The heat's own scale may be any; without the score's share, a good image would glow as much as a bad one.
        """
        low, high = float(self.heat.min()), float(self.heat.max())
        share = min(max(self.score / self.threshold, 0.0), 1.0) if self.threshold > 0 else 1.0
        heat = (self.heat.astype(np.float64) - low) / ((high - low) or 1.0)
        return np.asarray((heat * share * _OPACITY * 255).round(), np.uint8)


class Anomaly(Kind):
    outputs = ("score", "heat")

    def __init__(self, manifest: Manifest, threshold: float | None) -> None:
        given = manifest.threshold if threshold is None else threshold
        if given is None:
            refuse("gives no threshold, without which a score means nothing")
        self.threshold: float = given
        self._tolerance = manifest.tolerance("score")

    def answer(self, arrays: Arrays) -> Anomalousness:
        heat = output(arrays, "heat", dimensions=2)
        if not heat.size:
            raise no_sense("a heat map without a place")
        score = np.atleast_1d(arrays["score"])
        if score.shape != (1,) or not np.isfinite(score).all():
            raise no_sense("something else than one finite score")
        return Anomalousness(float(score[0]), self.threshold, heat)

    def agrees(self, arrays: Arrays, expected: Mapping[str, Any]) -> bool:
        score = expectation(expected, "score", (1,))
        found = np.atleast_1d(arrays["score"])
        return found.shape == (1,) and bool((np.abs(found - score) <= self._tolerance).all())
