"""Hosted prediction: a picture in, what a model finds in it out."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myriad.answers import Answer
from myriad.errors import ValidationFailed
from myriad.transport import Query, Transport

Picture = str | os.PathLike[str] | bytes


@dataclass(frozen=True, kw_only=True)
class Found(Answer):
    """One defect found: `bbox` is left, top, width and height in pixels of the upright picture."""

    name: str
    score: float
    bbox: tuple[float, ...]

    @property
    def class_id(self) -> str:
        return str(self.raw.get("class", ""))


@dataclass(frozen=True, kw_only=True)
class Share(Answer):
    """One of the classes that a classifier tells apart; `class_id` is None for good pictures."""

    name: str
    probability: float

    @property
    def class_id(self) -> str | None:
        return self.raw.get("class")


@dataclass(frozen=True, kw_only=True)
class Prediction(Answer):
    """What a model says of one picture of `width` x `height` pixels; `image` where it was an image's.

    By its `kind`: of DETECTION the `predictions`, best first; of CLASSIFICATION the `probabilities`, in the order of
    the model's classes; of ANOMALY a `score` from 0 to 1, `anomalous` from `threshold` on, and `heat`, the same by
    place: rows over the whole picture, from above.
    """

    model: str
    image: str | None = None
    width: int
    height: int
    kind: str = "DETECTION"
    predictions: tuple[Found, ...] = ()
    probabilities: tuple[Share, ...] = ()
    score: float | None = None
    threshold: float | None = None
    anomalous: bool | None = None
    seconds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def heat(self) -> list[list[float]]:
        return list(self.raw.get("heat") or ())

    @property
    def best(self) -> Share | None:
        """The most probable class."""
        return max(self.probabilities, key=lambda share: share.probability, default=None)


def predict(transport: Transport, path: str, picture: Picture, threshold: float | None) -> Prediction:
    """Send a picture (bytes or a file's path) or name an image by its id; read what was found."""
    params: Query | None = None if threshold is None else {"threshold": str(threshold)}
    if isinstance(picture, str) and is_id(picture):
        reply = transport.request("POST", path, params=params, body={"image": picture})
    else:
        # The server looks for itself what kind of picture it is.
        reply = transport.request(
            "POST", path, params=params, body=_content(picture), content_type="application/octet-stream"
        )
    return Prediction.from_json(reply.document, reply.request_id)


def is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _content(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    try:
        return Path(picture).read_bytes()
    except OSError as error:
        raise ValidationFailed(
            f"{os.fspath(picture)} cannot be read: {error.strerror}.",
            code="unreadable",
            hint="Give the path of a picture, or the id of an image.",
        ) from None
