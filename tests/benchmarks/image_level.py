"""How well a few labelled images teach a model that judges whole images: AUROC on images left out, seconds, bytes.

Each seed deals the labelled images anew, and judges on images of other groups. The run is the one that the service
executes, its evaluation out of fold included. `ratio` is the AUROC over that of a plain peer, which sees the same
images: features of the last stride, averaged over each, and on them for classification a logistic regression whose
penalty nobody chose (scikit-learn's of C = 1), for anomaly the distance to the nearest good image.
Usage: python -m tests.benchmarks.image_level --data COCO_DIR --kind classification|anomaly [--labelled 200]
       [--seeds 0,1,2] [--json]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from tests.benchmarks.coco_shots import Picture, read_folder
from training.vision.backbones import prepare_backbone
from training.vision.bootstrap import Interval
from training.vision.classification import fit_linear
from training.vision.examples import Example, check_examples
from training.vision.few_shot import Workbench, open_workbench
from training.vision.image_features import prepare_descriptions
from training.vision.image_graphs import POOLS, build_image_head_graph
from training.vision.image_metrics import estimate_auroc, score_classification
from training.vision.image_models import ImageModel, pack_image_model
from training.vision.image_recipes import ANOMALY, CLASSIFICATION, ImageRecipe, find_image_recipe
from training.vision.image_runs import ImageOutcome, run_images
from training.vision.image_sessions import ImageHeadSession, PairedJudge
from training.vision.image_tasks import GOOD

AGAINST = {
    CLASSIFICATION: "mean-pooled features of stride 32 and logistic regression of C = 1",
    ANOMALY: "mean-pooled features of stride 32 and the distance to the nearest good image",
}
MOST_JUDGED = 600
CACHE_BYTES = 4 << 30
DEFECTIVE = 0.5  # of `defect_probability`, from which on an image is defective
Vector = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Labelled:
    """Pictures, each with its class as a box of the whole image, or good without one."""

    pictures: list[Picture]
    classes: list[str]


def read_labels(folder: Path) -> Labelled:
    """Labels are `image_labels` with a defect_probability, or the images' `class` or `folder_class`, or their boxes."""
    document = json.loads((folder / "annotations.json").read_text())
    pictures, classes = read_folder(folder)
    images = document["images"]
    given = {one["image_id"]: one for one in document.get("image_labels", []) if "defect_probability" in one}
    if given:
        names = ["defective" if given[one["id"]]["defect_probability"] >= DEFECTIVE else "" for one in images]
    else:
        names = [str(one.get("class") or one.get("folder_class") or "") for one in images]
    if not any(names):
        names = [classes[int(one.boxes[0][0])] if one.boxes else "" for one in pictures]
    classes = sorted(set(names) - {"", "good"})
    marked = []
    for image, picture, name in zip(images, pictures, names, strict=True):
        side = [0.0, 0.0, float(image["width"]), float(image["height"])]
        boxes = [[float(classes.index(name)), *side]] if name in classes else []
        marked.append(Picture(picture.path, boxes, picture.group))
    return Labelled(marked, classes)


def deal_images(pictures: list[Picture], *, labelled: int, seed: int) -> tuple[list[Picture], list[Picture]]:
    """Pictures to learn from, by chance, and those of other groups to be judged."""
    mixed = [pictures[index] for index in np.random.default_rng(seed).permutation(len(pictures))]
    groups = {picture.group for picture in mixed[:labelled]}
    return mixed[:labelled], [picture for picture in mixed[labelled:] if picture.group not in groups][:MOST_JUDGED]


def measure(labelled: Labelled, *, count: int, seed: int, recipe: ImageRecipe, workbench: Workbench) -> dict[str, Any]:
    """One seed: deal, run, judge, and the peer."""
    learnt, left_out = deal_images(labelled.pictures, labelled=count, seed=seed)
    if len({str(picture.boxes[:1]) for picture in left_out}) < 2:
        raise SystemExit(f"nothing to tell apart is left out of {len(labelled.pictures)}: ask for fewer than {count}")
    with tempfile.TemporaryDirectory() as name:
        files = [picture.decode(Path(name)) for picture in learnt]
        started = time.perf_counter()
        outcome = run_images(
            recipe.kind, files, [picture.annotation() for picture in learnt], labelled.classes, recipe, seed,
            splits=["TRAIN"] * len(files), workbench=workbench,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        others = check_examples(
            [picture.decode(Path(name)) for picture in left_out], [p.annotation() for p in left_out],
            len(labelled.classes), needs_box=False,
        )  # fmt: skip
        found = judge(outcome.model, others, workbench)
        peer = judge_as_peer(outcome, others, workbench)
    alarms = {}
    if outcome.model.threshold is not None:
        good = np.array([not len(example.boxes) for example in others])
        told = found >= outcome.model.threshold
        alarms = {"false_alarm_rate": float(told[good].mean()), "detection_rate": float(told[~good].mean())}
    auroc = score(outcome, found, others)
    return {
        "seed": seed, "left_out": len(others), "long_side": outcome.model.long_side, "auroc": auroc.value,
        "auroc_low": auroc.low, "auroc_high": auroc.high, "peer_auroc": score(outcome, peer, others).value,
        "out_of_fold_auroc": (outcome.metrics["auroc"] or {"value": float("nan")})["value"], **alarms,
        "model_bytes": sum(len(data) for data in pack_image_model(outcome.model).values()), "train_seconds": seconds,
    }  # fmt: skip


def judge(model: ImageModel, examples: list[Example], workbench: Workbench) -> Vector:
    """Probabilities (n, K) or scores (n,), of the graphs that are served."""
    heads = ImageHeadSession(build_image_head_graph(model.heads, workbench.backbone.module).SerializeToString())
    pair, weights = PairedJudge(workbench.session, heads), model.restored()
    found = [pair.judge(example.pixels(), weights, model.long_side) for example in examples]
    if model.kind == ANOMALY:
        return np.array([answer["score"][0] for answer in found])
    return np.array([answer["probabilities"] for answer in found])


def judge_as_peer(outcome: ImageOutcome, examples: list[Example], workbench: Workbench) -> Vector:
    """What `AGAINST` says."""
    recipe, coarse = ImageRecipe(**outcome.model.recipe), workbench.backbone.module.channels[1] * POOLS  # type: ignore[arg-type]  # as it was stored
    width = workbench.backbone.module.channels[2]

    def pool(chosen: list[Example]) -> Vector:
        rows = [load().pooled[coarse : coarse + width] for load in prepare_descriptions(chosen, recipe, workbench)]
        return np.array(rows, np.float64)

    own, others = pool(outcome.examples), pool(examples)
    mean, scale = own.mean(axis=0), own.std(axis=0) + 1e-6
    own, others = (own - mean) / scale, (others - mean) / scale
    if outcome.model.kind == ANOMALY:
        good = own[np.array(outcome.truths) == GOOD]
        return np.array([np.linalg.norm(good - row, axis=1).min() for row in others])
    targets = functional.one_hot(torch.tensor(outcome.truths), len(outcome.model.classes))
    weight, bias = fit_linear(torch.from_numpy(own), targets, 1 / len(own))
    return torch.softmax(torch.from_numpy(others) @ weight + bias, dim=1).numpy()


def score(outcome: ImageOutcome, found: Vector, examples: list[Example]) -> Interval:
    """AUROC of what was found in images left out."""
    if outcome.model.kind == ANOMALY:
        return estimate_auroc(found, np.array([len(example.boxes) > 0 for example in examples]), seed=0)
    good = len(outcome.model.classes) - 1
    truths = np.array([int(example.classes[0]) if len(example.classes) else good for example in examples])
    return score_classification(found, truths, seed=0).auroc


def summarise(results: list[dict[str, Any]], *, kind: str, labelled: int) -> dict[str, Any]:
    """Means over seeds; the bounds are means of the seeds' own 95 % intervals over images."""
    means = [name for name in results[0] if name not in {"seed", "left_out", "long_side"}]
    table = {name: round(statistics.mean(result[name] for result in results), 4) for name in means}
    return {
        **table,
        "ratio": round(table["auroc"] / table["peer_auroc"], 4),
        "against": AGAINST[kind],
        "labelled": labelled,
        "seeds": [result["seed"] for result in results],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--kind", choices=["classification", "anomaly"], required=True)
    parser.add_argument("--labelled", type=int, default=200)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recipe = find_image_recipe(options.kind.upper(), "fast")
    labelled, results = read_labels(options.data), []
    with tempfile.TemporaryDirectory() as name:
        prepare_backbone(recipe.backbone, Path(name))
        for seed in [int(seed) for seed in options.seeds.split(",")]:
            # A cache of its own for each seed: the seconds are those of a first run.
            workbench = open_workbench(
                recipe.backbone, Path(name), Path(name) / f"features-{seed}", cache_bytes=CACHE_BYTES,
                threads=options.threads,
            )  # fmt: skip
            result = measure(labelled, count=options.labelled, seed=seed, recipe=recipe, workbench=workbench)
            results.append(result)
            told = ", ".join(
                f"{name} {result[name]:.3f}" for name in ("false_alarm_rate", "detection_rate") if name in result
            )
            print(
                f"seed {seed}: AUROC {result['auroc']:.3f} ({result['auroc_low']:.3f}–{result['auroc_high']:.3f}) on"
                f" {result['left_out']} left out at {result['long_side']} px, out of fold"
                f" {result['out_of_fold_auroc']:.3f}, peer {result['peer_auroc']:.3f};"
                f" {result['train_seconds']:.0f} s, {result['model_bytes'] / 1e3:.0f} kB{'; ' if told else ''}{told}"
            )
    summary = {
        "data": options.data.name, "kind": recipe.kind, "threads": options.threads,
        **summarise(results, kind=recipe.kind, labelled=options.labelled),
    }  # fmt: skip
    print(
        f"{summary['data']}, {options.labelled} labelled: AUROC {summary['auroc']:.3f}"
        f" ({summary['auroc_low']:.3f}–{summary['auroc_high']:.3f}), {summary['ratio']:.3f} of the peer's,"
        f" {summary['train_seconds']:.0f} s on {options.threads} threads, {summary['model_bytes'] / 1e3:.0f} kB"
    )
    if options.json:
        print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
