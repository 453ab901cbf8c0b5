"""Models: what successful runs publish; how good they are, where they answer, and their files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from myriad.answers import Answer
from myriad.downloads import read_file, save_file
from myriad.errors import NotDone, UnexpectedAnswer
from myriad.listing import Listing
from myriad.resources.jobs import Job, Jobs
from myriad.resources.numbered import find_numbered
from myriad.resources.predictions import Picture, Prediction, predict
from myriad.resources.snapshots import OnJob
from myriad.transport import Transport, path_of


@dataclass(frozen=True, kw_only=True)
class Interval(Answer):
    """A figure and the bounds that hold it with 95 % confidence; all None where there is nothing to measure."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassScores(Answer):
    """How well one class is found, over how many images and boxes; what is measured goes by the model's kind.

    Of good images, which a classifier tells apart as well, there is no `id`.
    """

    name: str
    id: str = ""
    images: int = 0
    boxes: int = 0
    ap50: Interval | None = None
    ap: Interval | None = None
    auroc: Interval | None = None
    recall: Interval | None = None
    precision: Interval | None = None
    detection_rate: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Metrics(Answer):
    """By the model's `kind`: of DETECTION AP50 and AP (over IoU 0.50 to 0.95), as means over the classes and of each
    class; of CLASSIFICATION accuracy, AUROC, expected calibration error and log loss; of ANOMALY how many good images
    are called anomalous from `threshold` on, how many defective ones, and AUROC (None where none was judged)."""

    kind: str = "DETECTION"
    ap50: Interval | None = None
    ap: Interval | None = None
    accuracy: Interval | None = None
    auroc: Interval | None = None
    ece: Interval | None = None
    log_loss: Interval | None = None
    false_alarm_rate: Interval | None = None
    detection_rate: Interval | None = None
    threshold: float | None = None
    good: int = 0
    defective: int = 0
    classes: tuple[ClassScores, ...] = ()

    @property
    def main(self) -> Interval | None:
        """The measure that stands for all: AP50, accuracy or AUROC."""
        return {"CLASSIFICATION": self.accuracy, "ANOMALY": self.auroc}.get(self.kind, self.ap50)


@dataclass(frozen=True, kw_only=True)
class Evaluation(Answer):
    """How good a model is on a snapshot. `method` is OUT_OF_FOLD (over `folds` parts) or TEST_SPLIT."""

    method: str
    metrics: Metrics
    folds: int = 0
    snapshot: str = ""
    image_count: int = 0
    box_count: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelClass(Answer):
    """What a model tells from others. Good images, which are of no class, have no `id`."""

    name: str
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model(Answer):
    """`size` is of its own weights, in bytes. `lineage` is everything that they came from; lists leave it out.

    `exported` says that the ONNX file is there, `export` has the hashes of its files.
    """

    id: str
    number: int
    project: str = ""
    run: str = ""
    snapshot: str = ""
    recipe: str = ""
    classes: tuple[ModelClass, ...] = ()
    long_side: int = 0
    size: int = 0
    evaluation: Evaluation | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    exported: bool = False
    export: Mapping[str, Any] | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """What A and B score, and how much more B does, with the bounds of that."""

    a: float | None = None
    b: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassDifference(Answer):
    name: str
    id: str = ""
    ap50: Difference | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison(Answer):
    """Two models on the same `images`; `verdict` is A_BETTER, B_BETTER or CANNOT_TELL."""

    verdict: str
    a: str = ""
    b: str = ""
    images: int = 0
    ap50: Difference | None = None
    classes: tuple[ClassDifference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Promotion(Answer):
    """From here on this model answers at the project's address."""

    id: str
    model: str
    project: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class ExportedModel:
    """The files of an export: the self-contained ONNX graph, and what it takes and gives."""

    onnx: Path
    manifest: Path


class Models:
    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def list(self, project_id: str, *, page_size: int = 100) -> Listing[Model]:
        """Give the project's models, newest first."""
        return Listing(self._transport, path_of("projects", project_id, "models"), Model, {"limit": page_size})

    def get(self, model_id: str) -> Model:
        reply = self._transport.get(path_of("models", model_id))
        return Model.from_json(reply.document, reply.request_id)

    def find(self, id_or_number: str, *, project_id: str | None = None) -> Model:
        """Give the model with this id or, in the project, this number."""
        listed = (lambda: self.list(project_id, page_size=500)) if project_id else None
        return find_numbered(id_or_number, what="model", get=self.get, listed=listed)

    def compare(self, model_id: str, other_id: str) -> Comparison:
        """Compare two models that were evaluated on the same snapshot."""
        reply = self._transport.get(path_of("models", model_id, "compare"), {"with": other_id})
        return Comparison.from_json(reply.document, reply.request_id)

    def predictions(self, model_id: str) -> Any:
        """Give the JSON of every prediction and truth behind the model's evaluation, by image."""
        try:
            return json.loads(read_file(self._transport, path_of("models", model_id, "predictions")))
        except ValueError:
            raise UnexpectedAnswer("The predictions are not JSON.", hint="Update the myriad package.") from None

    def predict(self, model_id: str, picture: Picture, *, threshold: float | None = None) -> Prediction:
        """Tell what the model finds in a picture: a file's path, its bytes, or the id of an image of the tenant.

        `threshold` leaves out what scores less; without one the server decides.
        """
        return predict(self._transport, path_of("models", model_id, "predict"), picture, threshold)

    def promote(self, model_id: str) -> Promotion:
        """Let this model answer at its project's address."""
        reply = self._transport.post(path_of("models", model_id, "promote"))
        return Promotion.from_json(reply.document, reply.request_id)

    def start_export(self, model_id: str) -> str | None:
        """Have the ONNX file made; give the id of the job that does, or None if it is there already."""
        reply = self._transport.post(path_of("models", model_id, "export"))
        return reply.location.rpartition("/")[2] or None

    def onnx_url(self, model_id: str) -> str:
        """Give an address from which anyone can fetch the exported ONNX file for a few minutes."""
        return self._transport.request("GET", path_of("models", model_id, "export", "onnx"), redirect=True).location

    def export(
        self,
        model_id: str,
        folder: str | os.PathLike[str],
        *,
        timeout: float | None = None,
        on_progress: OnJob | None = None,
    ) -> ExportedModel:
        """Save `model.onnx` and `manifest.json` of the model in a folder, having them made if need be.

        Raises `NotDone` if they could not be made, or not within `timeout` seconds.
        """
        model = self.get(model_id)
        if model.export is None:
            self._make(model, timeout=timeout, on_progress=on_progress)
            model = self.get(model_id)
        hashes = model.export or {}
        target = Path(folder)
        files = {}
        for name, part in (("model.onnx", "onnx"), ("manifest.json", "manifest")):
            path = path_of("models", model_id, "export", part)
            sha256 = str(hashes.get(f"{part}_sha256", ""))
            files[part] = save_file(self._transport, path, target / name, sha256=sha256)
        return ExportedModel(**files)

    def _make(self, model: Model, *, timeout: float | None, on_progress: OnJob | None) -> None:
        job = self.start_export(model.id)
        if job is None:
            return

        def tell(jobs: Mapping[str, Job]) -> None:
            if on_progress is not None:
                on_progress(jobs[job])

        (ended,) = self._jobs.wait([job], timeout=timeout, on_progress=tell)
        if ended.state != "SUCCEEDED":
            why = ended.error
            raise NotDone(
                why.message if why else f"The export of model {model.number} was canceled.",
                code=why.code if why else "canceled",
                hint=why.hint if why else "Export it again.",
            )
