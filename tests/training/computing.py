"""A computer without a child process, for tests of the bridge: what it computes is quick, and shows what it was given.

The engine itself takes seconds, and torch; the end-to-end test runs it. This one satisfies the same Protocol and is
honest where the bridge could be wrong: its weights depend on every pixel, box, class and the seed, and on each step
before, so that a run which went on from the wrong part ends with other bytes.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from training.domain.computing import Computation, ComputationStopped, Outcome, Part, Report

STEPS = 12
# Steps between two parts.
EVERY = 3
TRAININGS = ("final", "fold-1")
INTERVAL = {"value": 0.5, "low": 0.25, "high": 0.75}
THRESHOLD = 0.5
Hook = Callable[[int], None]


@dataclass
class Quick:
    """`before_step` is called with each step's number, counted over both trainings."""

    before_step: Hook = lambda _: None
    asked: list[Computation] = field(default_factory=list)
    # What it went on from: name of a part → its step.
    resumed: list[dict[str, int]] = field(default_factory=list)
    # What decided the weights, each time.
    begun: list[str] = field(default_factory=list)

    def compute(
        self,
        computation: Computation,
        *,
        on_report: Callable[[Report], None],
        on_part: Callable[[Part], None],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        assert not connection.in_atomic_block, "a scope is open during compute"
        self.asked.append(computation)
        if computation.operation == "export":
            return self._export(computation)
        self.begun.append(_deciding(computation))
        states = _begin(computation, self.begun[-1])
        self.resumed.append({name: step for name, (step, _) in states.items() if step})
        for place, name in enumerate(TRAININGS):
            step, state = states[name]
            while step < STEPS:
                self.before_step(place * STEPS + step)
                if should_stop():
                    on_part(_part(name, step, state))
                    raise ComputationStopped
                step, state = step + 1, _next(state, step)
                on_report(Report(place * STEPS + step, len(TRAININGS) * STEPS, "step", {"boxes": 1 / step}))
                if step % EVERY == 0:
                    on_part(_part(name, step, state))
            states[name] = step, state
        return _outcome(computation, weights="".join(state for _, state in states.values()))

    def _export(self, computation: Computation) -> Outcome:
        whole = b"".join(computation.files[name].read_bytes() for name in sorted(computation.files))
        described = json.dumps(computation.parameters["model"]).encode()
        return Outcome({}, {"model.onnx": b"onnx of " + whole, "manifest.json": described})


def straight(begin: str) -> bytes:
    """The weights of a run that nothing interrupts."""
    states = [_first(name, begin) for name in TRAININGS]
    for step in range(STEPS):
        states = [_next(state, step) for state in states]
    return "".join(states).encode()


def _deciding(computation: Computation) -> str:
    """All that decides the weights."""
    asked = computation.parameters
    pixels = [hashlib.sha256(computation.files[image["file"]].read_bytes()).hexdigest() for image in asked["images"]]
    boxes = [image["boxes"] for image in asked["images"]]
    return json.dumps([pixels, boxes, asked["classes"], asked["recipe"], asked["seed"]])


def _begin(computation: Computation, begin: str) -> dict[str, tuple[int, str]]:
    """Step and state of each training: from its part, where there is one."""
    states = {}
    for name in TRAININGS:
        if name in computation.parameters["checkpoints"]:
            stored = json.loads(computation.files[f"checkpoint-{name}"].read_bytes())
            states[name] = stored["step"], stored["state"]
        else:
            states[name] = 0, _first(name, begin)
    return states


def _first(name: str, begin: str) -> str:
    return hashlib.sha256(f"{name} {begin}".encode()).hexdigest()


def _next(state: str, step: int) -> str:
    return hashlib.sha256(f"{state} {step}".encode()).hexdigest()


def _part(name: str, step: int, state: str) -> Part:
    return Part(name, step, json.dumps({"step": step, "state": state}).encode())


def _recipe(asked: dict[str, object]) -> dict[str, object]:
    """The one computed, and why where that was left open."""
    if asked["name"] == "auto":
        return {"recipe": asked | {"name": "fast"}, "why": "Fast: nothing is learnt here."}
    return {"recipe": asked, "why": ""}


def _outcome(computation: Computation, *, weights: str) -> Outcome:
    asked = computation.parameters
    images, classes = asked["images"], judged_classes(asked)
    value = {
        "method": "OUT_OF_FOLD",
        "folds": 1,
        "classes": classes,
        "metrics": _METRICS[asked["kind"]](images, classes),
        "images": len(images),
        "boxes": sum(len(image["boxes"]) for image in images),
        "long_side": 256,
        "backbone": "efficientnet_lite0",
        "backbone_sha256": hashlib.sha256(b"backbone").hexdigest(),
        "fingerprint": hashlib.sha256(weights.encode()).hexdigest(),
        **_recipe(computation.parameters["recipe"]),
        "lineage": {"torch": "none"},
        "seconds": {"training": 0.1},
    }
    files = {
        "heads.safetensors": weights.encode(),
        "model.json": json.dumps({"classes": classes}).encode(),
        "parity.json": b'{"images": []}',
        "predictions.json": json.dumps(_PREDICTIONS[asked["kind"]](computation)).encode(),
    }
    return Outcome(value, files)


def judged_classes(asked: Mapping[str, Any]) -> list[str]:
    """What the model tells apart: a classifier good images, too, where there are some."""
    classes: list[str] = list(asked["classes"])
    has_good = any(not image["boxes"] for image in asked["images"])
    return [*classes, "good"] if asked["kind"] == "CLASSIFICATION" and has_good else classes


def _metrics(images: list[dict[str, Any]], classes: list[str]) -> dict[str, Any]:
    shown = [{index for index, *_ in image["boxes"]} for image in images]
    boxes = [index for image in images for index, *_ in image["boxes"]]
    by_class = [
        {
            "index": index,
            "name": name,
            "images": sum(index in found for found in shown),
            "boxes": boxes.count(index),
            "ap50": INTERVAL,
            "ap": None,
        }
        for index, name in enumerate(classes)
    ]
    return {"ap50": INTERVAL, "ap": INTERVAL, "classes": by_class}


def predictions(computation: Computation) -> dict[str, Any]:
    """Each box found as it was drawn; with an odd seed, the first of each image alone."""
    asked = computation.parameters
    entries = []
    for image in asked["images"]:
        drawn = image["boxes"][:1] if asked["seed"] % 2 else image["boxes"]
        found = [[index, 0.9, *box] for index, *box in drawn]
        entries.append({"image": image["file"].removesuffix(".npy"), "truth": image["boxes"], "predictions": found})
    return {"format": 1, "classes": asked["classes"], "images": entries}


def truth_of(image: Mapping[str, Any], good: int) -> int:
    """The class of an image of a kind without boxes, which all of its boxes are of; `good` where it has none."""
    return int(image["boxes"][0][0]) if image["boxes"] else good


def _classification(images: list[dict[str, Any]], classes: list[str]) -> dict[str, Any]:
    """The last image is taken for the first class, whatever it shows; all others are right."""
    truth = [truth_of(image, len(classes) - 1) for image in images]
    confusion = [[0] * len(classes) for _ in classes]
    for place, own in enumerate(truth):
        confusion[own][0 if place == len(truth) - 1 else own] += 1
    by_class = [
        {"index": index, "name": name, "images": truth.count(index), "auroc": INTERVAL, "recall": INTERVAL}
        | {"precision": None}
        for index, name in enumerate(classes)
    ]
    figures = {"accuracy": INTERVAL, "log_loss": INTERVAL, "ece": INTERVAL, "auroc": INTERVAL}
    return {"kind": "CLASSIFICATION", **figures, "classes": by_class, "confusion": confusion}


def _anomaly(images: list[dict[str, Any]], classes: list[str]) -> dict[str, Any]:
    truth = [truth_of(image, -1) for image in images]
    defective = len(images) - truth.count(-1)
    by_class = [
        {"index": index, "name": name, "images": truth.count(index)}
        | {"detection_rate": INTERVAL if index in truth else None}
        for index, name in enumerate(classes)
    ]
    return {
        "kind": "ANOMALY",
        "auroc": INTERVAL if defective else None,
        "false_alarm_rate": {"value": 0.04, "low": 0.01, "high": 0.125},
        "detection_rate": INTERVAL if defective else None,
        "threshold": THRESHOLD,
        "stated_false_alarm_rate": 0.05,
        "good": truth.count(-1),
        "defective": defective,
        "classes": by_class,
    }


def _class_predictions(computation: Computation) -> dict[str, Any]:
    asked, outputs = computation.parameters, judged_classes(computation.parameters)
    entries = []
    for place, image in enumerate(asked["images"]):
        truth = truth_of(image, len(outputs) - 1)
        told = 0 if place == len(asked["images"]) - 1 else truth
        probabilities = [0.7 if index == told else 0.3 / (len(outputs) - 1) for index in range(len(outputs))]
        entries.append(_entry(image, truth) | {"probabilities": probabilities})
    return {"format": 1, "kind": asked["kind"], "classes": outputs, "images": entries}


def _anomaly_predictions(computation: Computation) -> dict[str, Any]:
    """The last image is judged the other way round."""
    asked = computation.parameters
    entries = []
    for place, image in enumerate(asked["images"]):
        anomalous = bool(image["boxes"]) != (place == len(asked["images"]) - 1)
        score = 0.9 if anomalous else 0.1
        entries.append(_entry(image, truth_of(image, -1)) | {"score": score, "anomalous": anomalous})
    return {
        "format": 1,
        "kind": asked["kind"],
        "classes": asked["classes"],
        "threshold": THRESHOLD,
        "images": entries,
    }


def _entry(image: Mapping[str, Any], truth: int) -> dict[str, Any]:
    return {"image": image["file"].removesuffix(".npy"), "fold": 1, "width": 48, "height": 36, "truth": truth}


_METRICS = {"DETECTION": _metrics, "CLASSIFICATION": _classification, "ANOMALY": _anomaly}
_PREDICTIONS = {
    "DETECTION": predictions,
    "CLASSIFICATION": _class_predictions,
    "ANOMALY": _anomaly_predictions,
}
