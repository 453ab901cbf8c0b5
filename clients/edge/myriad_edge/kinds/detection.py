"""Detection: boxes with a class and a score each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from myriad_edge.errors import BadInput
from myriad_edge.kinds.interface import Arrays, Kind, expectation, no_sense, output
from myriad_edge.manifest import Manifest, refuse
from myriad_edge.pictures import PALETTE, Mark, draw_marks

#: What the service takes where nobody tells it another.
DEFAULT_THRESHOLD: Final = 0.3


@dataclass(frozen=True)
class Finding:
    name: str
    score: float
    box: tuple[float, float, float, float]  # left, top, right, bottom
    color: str

    def to_json(self) -> dict[str, object]:
        left, top, right, bottom = self.box
        bbox = [round(side, 3) for side in (left, top, right - left, bottom - top)]
        return {"class": self.name, "score": round(self.score, 5), "bbox": bbox}


@dataclass(frozen=True)
class Findings:
    found: tuple[Finding, ...]

    def to_json(self) -> dict[str, object]:
        return {"findings": [finding.to_json() for finding in self.found]}

    def draw(self, picture: Image.Image) -> Image.Image:
        return draw_marks(picture, [Mark(f.box, f.color, f"{f.name} {f.score:.2f}") for f in self.found])


class Detection(Kind):
    outputs = ("boxes", "scores", "classes")

    def __init__(self, manifest: Manifest, threshold: float | None) -> None:
        if not manifest.classes:
            refuse("names no classes")
        given = manifest.threshold if threshold is None else threshold
        self.threshold: float = DEFAULT_THRESHOLD if given is None else given
        if not 0 <= self.threshold <= 1:
            raise BadInput(f"The threshold is {self.threshold:g}.", "Give a --threshold from 0 to 1.")
        self._classes = manifest.classes
        self._boxes, self._scores = manifest.tolerance("boxes"), manifest.tolerance("scores")

    def answer(self, arrays: Arrays) -> Findings:
        boxes, scores = output(arrays, "boxes", dimensions=2), output(arrays, "scores", dimensions=1)
        classes = output(arrays, "classes", dimensions=1)
        if boxes.shape != (len(scores), 4) or classes.shape != scores.shape:
            raise no_sense("boxes, scores and classes of different number")
        if len(classes) and not 0 <= classes.min() <= classes.max() < len(self._classes):
            raise no_sense("a class that it does not have")
        rows = zip(boxes.tolist(), scores.tolist(), classes.tolist(), strict=True)
        return Findings(
            tuple(
                Finding(self._classes[index], score, tuple(box), PALETTE[index % len(PALETTE)])
                for box, score, index in rows
                if score >= self.threshold
            )
        )

    def agrees(self, arrays: Arrays, expected: Mapping[str, Any]) -> bool:
        """Boxes whose scores lie close may change places, but each has its like on the other side."""
        boxes, scores = expectation(expected, "boxes", (-1, 4)), expectation(expected, "scores", (-1,))
        classes = expectation(expected, "classes", (-1,))
        if not len(boxes) == len(scores) == len(classes):
            refuse("has a parity image whose boxes, scores and classes differ in number")
        if arrays["scores"].shape != scores.shape:
            return False
        same = arrays["classes"][:, None] == classes[None]
        same &= np.abs(arrays["scores"][:, None] - scores[None]) <= self._scores
        same &= np.abs(arrays["boxes"][:, None] - boxes[None]).max(axis=-1) <= self._boxes
        return bool(same.any(axis=0).all() and same.any(axis=1).all())
