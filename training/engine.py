"""The engine child's operations: JSON and files in, a trained model or its export out. The child may import torch.

A run is what workers.children.engine_operations.RunContext is; it is described here, because nothing in training knows
workers.
"""

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from training.vision.artifacts import DamagedModel, Trained, pack_model, unpack_model
from training.vision.backbones import Backbone, load_backbone
from training.vision.efficientnet import WrongWeights
from training.vision.examples import Annotation, BadExample, NothingToLearn
from training.vision.exports import export_model
from training.vision.features import FeatureCache
from training.vision.few_shot import Sessions, Workbench
from training.vision.folds import TooFewGroups
from training.vision.image_exports import export_image_model
from training.vision.image_models import ImageModel, pack_image_model, unpack_image_model
from training.vision.image_recipes import ImageRecipe
from training.vision.image_runs import run_images
from training.vision.learner import OutOfMemory
from training.vision.losses import NonFiniteLoss
from training.vision.parity import PARITY, ParityBroken
from training.vision.progress import RunProgress
from training.vision.recipes import Recipe
from training.vision.runs import RunOutcome, run_recipe
from training.vision.train import Stopped

DETECTION = "DETECTION"  # the kind of project whose images have boxes; the others' have one class each
CACHE_BYTES = 4 << 30  # of the features, in the run's scratch folder
CURVE_POINTS = 200
Array = npt.NDArray[Any]


class EngineRun(Protocol):
    """What an operation is given of a run."""

    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def scratch(self) -> Path: ...
    def should_stop(self) -> bool: ...
    def progress(
        self, done: float, total: float, *, message: str = "", losses: Mapping[str, float] | None = None
    ) -> None: ...
    def checkpoint(self, data: bytes, *, step: int, name: str) -> None: ...
    def finish(self, value: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None: ...
    def fail(self, code: str, message: str, *, hint: str, detail: str = "") -> None: ...


def train(pack: Sequence[EngineRun]) -> None:
    """Train and evaluate each run of the pack; see the contract of `parameters` at _read_examples."""
    for run in pack:
        _attend(run, _train)


def export(pack: Sequence[EngineRun]) -> None:
    """Merge each run's model and the backbone into one ONNX file, and prove it on the parity images."""
    for run in pack:
        _attend(run, _export)


def _attend(run: EngineRun, compute: Callable[[EngineRun], None]) -> None:
    """Compute; say in the customer's words what is wrong with the data. A run that is to stop is left to the server."""
    if run.should_stop():
        return
    try:
        compute(run)
    except Stopped:
        return
    except BadExample as error:
        name = Path(run.parameters["images"][error.image]["file"]).stem
        where = f"image {name}" if error.box is None else f"image {name}, box {error.box + 1}"
        run.fail("bad_example", f"{where}: {error.reason}", hint="Correct the annotation and take a new snapshot.")
    except tuple(_REFUSALS) as error:
        code, message, hint = next(words for kind, words in _REFUSALS.items() if isinstance(error, kind))
        run.fail(code, message.format(error), hint=hint, detail=str(error))


_PREPARED = "The service's shared backbone is not prepared."
_OURS = "Nothing is wrong with your data: tell us the run's number."
_REFUSALS: dict[type[Exception], tuple[str, str, str]] = {
    NothingToLearn: (
        "nothing_to_learn", "There is nothing to learn: {}.", "Label more images and take a new snapshot.",
    ),
    TooFewGroups: (
        "too_few_groups", "The model could not be judged: {}.",
        "Add photographs of other parts: copies, and images of one group, cannot be judged by each other.",
    ),
    NonFiniteLoss: (
        "training_diverged", "The training did not settle on these images.",
        "Start the run with another seed; if it stays, tell us the run's number.",
    ),
    OutOfMemory: (
        "out_of_memory", "The images need more memory than there is: {}.",
        "Use the recipe 'fast', or upload smaller images.",
    ),
    WrongWeights: ("backbone_missing", _PREPARED, _OURS),
    FileNotFoundError: ("backbone_missing", _PREPARED, _OURS),
    DamagedModel: ("model_damaged", "The model's files are damaged.", "Train it again from its snapshot."),
    ParityBroken: ("model_damaged", "The model's graph does not answer as evaluated.", _OURS),
}  # fmt: skip


def _train(run: EngineRun) -> None:
    """`parameters`: {"images": [{"file", "boxes": [[class, x, y, w, h]], "group", "split"}], "classes": [name], "kind",
    "recipe": {…}, "seed", "backbone_dir", "checkpoints": [name], "threads"}; files lie in scratch/inputs. The boxes of
    an image are all of its one class where the kind is not DETECTION.
    """
    started = time.monotonic()
    compute = _train_detector if run.parameters.get("kind", DETECTION) == DETECTION else _train_judge
    value, files = compute(run)
    value["lineage"] = _describe_machine(_threads(run))
    value["seconds"] = {"total": round(time.monotonic() - started, 1)}
    run.finish(value, _as_arrays(files))


def _train_detector(run: EngineRun) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What is published of the run, as JSON, and its files."""
    given = run.parameters
    recipe = Recipe(**given["recipe"])
    outcome = run_recipe(
        [run.scratch / "inputs" / image["file"] for image in given["images"]],
        [_read_annotation(image) for image in given["images"]],
        given["classes"],
        recipe,
        given["seed"],
        splits=[image["split"] for image in given["images"]],
        workbench=_open_workbench(run, recipe.backbone),
        on_progress=lambda report: _pass_on(run, report),
        should_stop=run.should_stop,
        checkpoints=_RunCheckpoints(run, frozenset(given.get("checkpoints", ()))),
    )
    files = {
        **pack_model(outcome.trained),
        PARITY: outcome.parity.to_bytes(),
        "predictions.json": _describe_predictions(outcome, given["images"]),
    }
    value = _describe_model(outcome.trained) | {
        "method": outcome.method,
        "folds": outcome.folds,
        "metrics": _describe_metrics(outcome),
        "images": len(outcome.evaluation.predictions),
        "boxes": sum(len(outcome.examples[index].boxes) for index in outcome.evaluation.predictions),
        "why": outcome.why,
        "curve": _thin(outcome.curve),
    }
    return value, files


def _train_judge(run: EngineRun) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The same of a kind that judges whole images. It takes seconds, and stores no checkpoints."""
    given = run.parameters
    recipe = ImageRecipe(**given["recipe"])
    outcome = run_images(
        given["kind"],
        [run.scratch / "inputs" / image["file"] for image in given["images"]],
        [_read_annotation(image) for image in given["images"]],
        given["classes"],
        recipe,
        given["seed"],
        splits=[image["split"] for image in given["images"]],
        workbench=_open_workbench(run, recipe.backbone),
        on_progress=lambda report: _pass_on(run, report),
        should_stop=run.should_stop,
    )
    names = [Path(image["file"]).stem for image in given["images"]]
    files = {
        **pack_image_model(outcome.model),
        PARITY: outcome.parity,
        "predictions.json": outcome.predictions(names),
    }
    value = _describe_model(outcome.model) | {
        "method": outcome.method,
        "folds": outcome.folds,
        "metrics": outcome.metrics,
        "images": len(outcome.answers),
        "boxes": sum(bool(len(outcome.examples[index].boxes)) for index in outcome.answers),
        "why": "",
        "curve": [],
    }
    return value, files


def _describe_model(model: Trained | ImageModel) -> dict[str, Any]:
    return {
        "classes": list(model.classes),
        "long_side": model.long_side,
        "backbone": model.backbone,
        "backbone_sha256": model.backbone_sha256,
        "fingerprint": model.fingerprint,
        "recipe": dict(model.recipe),
    }


def _export(run: EngineRun) -> None:
    """`parameters`: {"kind", "backbone_dir", "model": what the manifest shall repeat}; files lie in scratch/inputs."""
    folder = run.scratch / "inputs"
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    parity, described = files[PARITY], run.parameters.get("model", {})
    if run.parameters.get("kind", DETECTION) == DETECTION:
        trained = unpack_model(files)
        exported = export_model(trained, _expected_backbone(run, trained), parity, described)
    else:
        model = unpack_image_model(files)
        exported = export_image_model(model, _expected_backbone(run, model), parity, described)
    run.finish({"files": sorted(exported)}, _as_arrays(exported))


def _expected_backbone(run: EngineRun, model: Trained | ImageModel) -> Backbone:
    folder = Path(run.parameters["backbone_dir"])
    return load_backbone(model.backbone, folder, expected_sha256=model.backbone_sha256)


@dataclass(frozen=True)
class _RunCheckpoints:
    """Parts handed in with the run's files, and handed out as events."""

    run: EngineRun
    given: frozenset[str]

    def load(self, name: str) -> bytes | None:
        return (self.run.scratch / "inputs" / f"checkpoint-{name}").read_bytes() if name in self.given else None

    def save(self, name: str, *, step: int, data: bytes) -> None:
        self.run.checkpoint(data, step=step, name=name)


def _open_workbench(run: EngineRun, backbone: str) -> Workbench:
    loaded, sessions = _open_backbone(backbone, Path(run.parameters["backbone_dir"]))
    cache = FeatureCache(run.scratch / "features", CACHE_BYTES, loaded.sha256)
    return Workbench(loaded, sessions, cache, _threads(run))


def _threads(run: EngineRun) -> int:
    return max(1, int(run.parameters.get("threads", 1)))


@lru_cache(maxsize=2)
def _open_backbone(name: str, folder: Path) -> tuple[Backbone, Sessions]:
    """Kept for the engine's life: runs share it."""
    loaded = load_backbone(name, folder)
    return loaded, Sessions(loaded, folder)


def _read_annotation(image: Mapping[str, Any]) -> Annotation:
    rows = np.array(image["boxes"], np.float64).reshape(-1, 5)
    corners = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1)
    return Annotation(corners.astype(np.float32), rows[:, 0].astype(np.int64), image.get("group") or None)


def _pass_on(run: EngineRun, report: RunProgress) -> None:
    run.progress(report.done, report.total, message=report.message, losses=report.losses)


def _describe_metrics(outcome: RunOutcome) -> dict[str, Any]:
    intervals = outcome.evaluation.intervals
    judged = [outcome.examples[index] for index in outcome.evaluation.predictions]
    classes = [
        {
            "index": index,
            "name": name,
            "images": sum(bool((example.classes == index).any()) for example in judged),
            "boxes": sum(int((example.classes == index).sum()) for example in judged),
            "ap50": intervals.class_ap50[index].to_json(),
            "ap": intervals.class_ap[index].to_json(),
        }
        for index, name in enumerate(outcome.trained.classes)
    ]
    return {"ap50": intervals.ap50.to_json(), "ap": intervals.ap.to_json(), "classes": classes}


def _describe_predictions(outcome: RunOutcome, images: Sequence[Mapping[str, Any]]) -> bytes:
    """JSON of every image judged: truth [class, x, y, w, h], predictions [class, score, x, y, w, h], best first."""
    entries = []
    for index, found in outcome.evaluation.predictions.items():
        example = outcome.examples[index]
        entries.append(
            {
                "image": Path(images[index]["file"]).stem,
                "fold": outcome.fold_of[index],
                "width": example.width,
                "height": example.height,
                "truth": [
                    [int(c), *_as_corner_and_size(b)] for c, b in zip(example.classes, example.boxes, strict=True)
                ],
                "predictions": [
                    [int(c), round(float(s), 6), *_as_corner_and_size(b)]
                    for c, s, b in zip(found.classes, found.scores, found.boxes, strict=True)
                ],
            }
        )
    document = {"format": 1, "method": outcome.method, "classes": outcome.trained.classes, "images": entries}
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _as_corner_and_size(box: npt.NDArray[np.float32]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]


def _describe_machine(threads: int) -> dict[str, Any]:
    """What else the bytes depend on."""
    names = ("torch", "onnxruntime", "numpy", "safetensors")
    return {
        "threads": threads,
        "machine": platform.machine(),
        "processor": _processor(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _thin(curve: Sequence[tuple[int, Mapping[str, float]]]) -> list[tuple[int, dict[str, float]]]:
    every = max(1, -(-len(curve) // CURVE_POINTS))
    kept = [point for number, point in enumerate(curve) if number % every == 0 or number == len(curve) - 1]
    return [(step, {name: round(value, 5) for name, value in losses.items()}) for step, losses in kept]


def _as_arrays(files: Mapping[str, bytes]) -> dict[str, Array]:
    return {name: np.frombuffer(data, np.uint8) for name, data in files.items()}
