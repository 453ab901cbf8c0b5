"""What each kind of model can do, and how its arrays are looked at before they are believed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from myriad_edge.errors import BadImage
from myriad_edge.manifest import Manifest, refuse

Arrays = Mapping[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]


class Answer(Protocol):
    """What a model says of one image."""

    def to_json(self) -> dict[str, object]:
        """The fields that a line of results has of it; every number is finite."""

    def draw(self, picture: Image.Image) -> Image.Image:
        """A copy of the picture that shows the answer."""


class Kind(ABC):
    """One kind of model: what its graph gives, when that agrees with what is expected, and what it means."""

    #: The graph's outputs that are asked for.
    outputs: ClassVar[tuple[str, ...]]
    #: What an image is held against, or None where nothing is.
    threshold: float | None

    @abstractmethod
    def __init__(self, manifest: Manifest, threshold: float | None) -> None:
        """`threshold` is the customer's, if there is one; raises BadInput for a manifest or threshold of no sense."""

    @abstractmethod
    def answer(self, arrays: Arrays) -> Answer:
        """Read the graph's outputs; raises BadImage for shapes or numbers of no sense."""

    @abstractmethod
    def agrees(self, arrays: Arrays, expected: Mapping[str, Any]) -> bool:
        """Whether outputs are those of a parity image, within the manifest's tolerances."""


def output(arrays: Arrays, name: str, *, dimensions: int) -> npt.NDArray[Any]:
    """Give an output of so many dimensions with finite numbers; raises BadImage for any other."""
    array = arrays[name]
    if array.ndim != dimensions or not np.isfinite(array).all():
        raise no_sense(f"{name} of shape {array.shape}, or with numbers that are not finite")
    return array


def no_sense(what: str) -> BadImage:
    """Say that the model's answer cannot be meant."""
    return BadImage(
        "bad_answer", f"made the model answer with {what}", "Look at the image, and report this with the model's id."
    )


def expectation(expected: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Floats:
    """Give what a parity image expects; raises BadInput where that is missing or nothing of the kind."""
    try:
        array: Floats = np.array(expected[name], np.float64).reshape(shape)
    except (KeyError, TypeError, ValueError, OverflowError):
        refuse(f"has a parity image without {name} that can be read")
    if not np.isfinite(array).all():
        refuse(f"has a parity image whose {name} are not finite")
    return array
