"""Classification: one class for the whole image, with the probability of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from myriad_edge.errors import BadInput
from myriad_edge.kinds.interface import Arrays, Kind, expectation, no_sense, output
from myriad_edge.manifest import Manifest, refuse
from myriad_edge.pictures import PALETTE, enlarged, write_caption


@dataclass(frozen=True)
class Classified:
    """The most probable class, its place among them, and all probabilities by class."""

    name: str
    place: int
    probabilities: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        rounded = {name: round(probability, 5) for name, probability in self.probabilities.items()}
        return {"class": self.name, "probability": rounded[self.name], "probabilities": rounded}

    def draw(self, picture: Image.Image) -> Image.Image:
        canvas, _ = enlarged(picture)
        caption = f"{self.name} {self.probabilities[self.name]:.2f}"
        write_caption(canvas, caption, PALETTE[self.place % len(PALETTE)])
        return canvas


class Classification(Kind):
    outputs = ("probabilities",)
    threshold = None

    def __init__(self, manifest: Manifest, threshold: float | None) -> None:
        if not manifest.classes:
            refuse("names no classes")
        if threshold is not None:
            raise BadInput(
                "A classification model has no threshold: its answer is the most probable class.",
                "Leave out --threshold.",
            )
        self._classes = manifest.classes
        self._tolerance = manifest.tolerance("probabilities")

    def answer(self, arrays: Arrays) -> Classified:
        probabilities = output(arrays, "probabilities", dimensions=1).tolist()
        if len(probabilities) != len(self._classes):
            raise no_sense(f"{len(probabilities)} probabilities for {len(self._classes)} classes")
        place = int(np.argmax(probabilities))
        return Classified(self._classes[place], place, dict(zip(self._classes, probabilities, strict=True)))

    def agrees(self, arrays: Arrays, expected: Mapping[str, Any]) -> bool:
        probabilities = expectation(expected, "probabilities", (-1,))
        found = arrays["probabilities"]
        return found.shape == probabilities.shape and bool((np.abs(found - probabilities) <= self._tolerance).all())
