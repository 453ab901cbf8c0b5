"""Hosted prediction: a picture in, what a model finds in it out, synchronously."""

import hashlib
import uuid
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings

from fleet.domain.promotions import current_model
from projects.domain.images import NotReady, image_key
from projects.domain.queries import image_named
from projects.models import Image, Project
from tenants.permissions import Principal
from tenants.refusals import Refusal
from tenants.scope import tenant_scope
from tenants.storage import ObjectMissing, TenantStorage
from training.domain.queries import served_model_named
from training.models import Model

if TYPE_CHECKING:
    from fleet.domain.hosting import Hosting
    from fleet.domain.judges import Judged
    from training.vision.predictions import Prediction as Found


class NotServing(Refusal):
    status = 503
    code = "prediction_unavailable"
    title = "Predictions are not served now"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("The prediction process does not answer.", hint="Try again in a few seconds.")


class ImageFileMissing(Refusal):
    code = "image_file_missing"
    title = "The image's file is gone"

    def __init__(self) -> None:
        super().__init__(
            "The image's stored file is missing or damaged.",
            hint="Upload the image again, or send its bytes with the request.",
        )


# The most that ingest stores of a picture, in bytes a pixel. A PNG that does not compress holds its pixels and little
# more; a JPEG codes a sample in 26 bits at most, and pads its sides to whole blocks. No file is larger than the last.
STORED_BYTES_A_PIXEL = {"image/png": 3.1, "image/jpeg": 10}
JPEG_BLOCK = 16
HEADER_BYTES = 128 * 1024
MAX_STORED_BYTES = 256 * 1024 * 1024
_HEAT_DIGITS = 3


@dataclass(frozen=True)
class Picture:
    """What is to be looked at: an image of the tenant's, or bytes sent along."""

    image_id: uuid.UUID | None = None
    data: bytes = b""


@dataclass(frozen=True)
class Finding:
    """One defect found; the box is x, y, width, height in pixels of the upright picture."""

    class_id: str
    name: str
    score: float
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True)
class Share:
    """One of the things that a classifier tells apart, and how probable it is; of no class are good images."""

    class_id: str | None
    name: str
    probability: float


@dataclass(frozen=True)
class Oddness:
    """How little a picture looks like good ones, from 0 to 1: in all, and by place over the whole of it, row by row."""

    score: float
    threshold: float
    heat: list[list[float]]

    @property
    def anomalous(self) -> bool:
        return self.score >= self.threshold


@dataclass(frozen=True)
class Prediction:
    """What a model says of a picture: `findings`, best first, or by its kind `shares`, or its `oddness`."""

    model_id: uuid.UUID
    image_id: uuid.UUID | None
    width: int
    height: int
    kind: str
    findings: list[Finding]
    seconds: dict[str, float]
    # In the order of the model's classes.
    shares: list[Share] = field(default_factory=list)
    oddness: Oddness | None = None


def predict_with_model(*, model_id: uuid.UUID, picture: Picture, threshold: float, by: Principal) -> Prediction:
    """What the model finds with a score of at least `threshold`; or says of the whole. Opens short scopes itself.

    Raises NotFound (model or image), NotReady, ImageFileMissing, or what `Hosting.compute` raises.
    """
    return _predict(lambda: served_model_named(model_id), picture, threshold, by)


def predict_for_project(*, project_id: uuid.UUID, picture: Picture, threshold: float, by: Principal) -> Prediction:
    """As `predict_with_model`, by the model promoted last. Raises NothingPromoted before the first."""
    return _predict(lambda: current_model(project_id), picture, threshold, by)


def _predict(find_model: Any, picture: Picture, threshold: float, by: Principal) -> Prediction:
    if not settings.SERVES_PREDICTIONS:
        raise NotServing
    with tenant_scope(by.tenant_id):
        model: Model = find_model()
        image = image_named(picture.image_id) if picture.image_id else None
    if image is not None and image.status != Image.Status.READY:
        raise NotReady(image.status)
    read = partial(_stored, image, by) if image else lambda: picture.data
    computed = _hosting().compute(model, read, image.stored_type if image else None, tenant_id=by.tenant_id)
    return Prediction(
        model_id=model.id,
        image_id=picture.image_id,
        width=computed.width,
        height=computed.height,
        seconds=computed.seconds,
        **_said(computed.found, model.classes, threshold),
    )


def _stored(image: Image, by: Principal) -> bytes:
    most = most_stored_bytes(image.stored_type, image.width or 0, image.height or 0)
    try:
        data = TenantStorage(by.tenant_id).read(image_key(image.stored_sha256), max_bytes=most)
    except (ObjectMissing, ValueError) as error:
        raise ImageFileMissing from error
    if hashlib.sha256(data).hexdigest() != image.stored_sha256:
        raise ImageFileMissing
    return data


def most_stored_bytes(stored_type: str, width: int, height: int) -> int:
    """The largest file that ingest can have stored of a picture."""
    across, down = (-(-side // JPEG_BLOCK) * JPEG_BLOCK for side in (width, height))
    return min(MAX_STORED_BYTES, HEADER_BYTES + int(across * down * STORED_BYTES_A_PIXEL[stored_type]))


def _said(found: "Found | Judged", classes: list[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """What of a Prediction goes by the model's kind."""
    from fleet.domain.judges import Judged  # noqa: PLC0415 - as in _hosting

    if not isinstance(found, Judged):
        return {"kind": Project.Kind.DETECTION.value, "findings": _findings(found, classes, threshold)}
    said: dict[str, Any] = {"kind": found.kind, "findings": []}
    if found.threshold is None:
        probabilities = found.outputs["probabilities"].tolist()
        shares = [Share(label["id"], label["name"], one) for label, one in zip(classes, probabilities, strict=True)]
        return said | {"shares": shares}
    heat = [[round(value, _HEAT_DIGITS) for value in row] for row in found.outputs["heat"].tolist()]
    return said | {"oddness": Oddness(float(found.outputs["score"][0]), found.threshold, heat)}


def _findings(found: "Found", classes: list[dict[str, Any]], threshold: float) -> list[Finding]:
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
    return [
        Finding(classes[index]["id"], classes[index]["name"], score, (left, top, right - left, bottom - top))
        for (left, top, right, bottom), score, index in rows
        if score >= threshold
    ]


def _hosting() -> "Hosting":
    # Here and not above: it brings numpy and onnxruntime, which the web process, that has this module too, is without.
    from fleet.domain.hosting import hosting  # noqa: PLC0415

    return hosting()
