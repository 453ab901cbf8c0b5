"""How well a few labelled images teach a recipe: AP50 on images left out, and the seconds that a whole run takes.

Each seed deals the shots anew, spread over classes, and judges on images of other groups. The run is the one that the
service executes: its evaluation out of fold is part of the time, and is printed beside what it estimates.
Usage: python -m tests.benchmarks.few_shot --data COCO_DIR [--shots 50] [--seeds 0,1,2] [--recipe fast] [--json]
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.coco_shots import Picture, deal, read_folder
from training.vision.backbones import prepare_backbone
from training.vision.evaluate import evaluate_model
from training.vision.examples import check_examples
from training.vision.few_shot import Workbench, open_workbench
from training.vision.recipes import Recipe, find_recipe
from training.vision.runs import RunOutcome, run_recipe

MOST_JUDGED = 300
CACHE_BYTES = 4 << 30


def run_shots(
    learnt: list[Picture], classes: list[str], recipe: Recipe, seed: int, *, folder: Path, backbones: Path, threads: int
) -> tuple[RunOutcome, Workbench]:
    """What the service executes for a run, on pictures instead of a snapshot; `folder` is its scratch."""
    files = [picture.decode(folder) for picture in learnt]
    workbench = open_workbench(
        recipe.backbone, backbones, folder / "features", cache_bytes=CACHE_BYTES, threads=threads
    )
    outcome = run_recipe(
        files, [picture.annotation() for picture in learnt], classes, recipe, seed,
        splits=["TRAIN"] * len(files), workbench=workbench,
    )  # fmt: skip
    return outcome, workbench


def measure(data: Path, *, shots: int, seed: int, recipe: Recipe, threads: int, backbones: Path) -> dict[str, Any]:
    """One seed: deal, run, judge."""
    pictures, classes = read_folder(data)
    learnt, left_out = deal(pictures, shots=shots, most=MOST_JUDGED, seed=seed)
    if not any(picture.boxes for picture in left_out):
        raise SystemExit(f"no image with a box is left out of {len(pictures)}: ask for fewer shots than {shots}")
    with tempfile.TemporaryDirectory() as name:
        started, cpu = time.perf_counter(), time.process_time()
        outcome, workbench = run_shots(
            learnt, classes, recipe, seed, folder=Path(name), backbones=backbones, threads=threads
        )
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB, before the images left out are read
        others = check_examples(
            [picture.decode(Path(name)) for picture in left_out], [p.annotation() for p in left_out], len(classes)
        )
        judged = evaluate_model(outcome.trained, others, workbench=workbench).intervals
    return {
        "seed": seed,
        "images": len(learnt),
        "left_out": len(others),
        "long_side": outcome.trained.long_side,
        "ap50": judged.ap50.value,
        "ap50_low": judged.ap50.low,
        "ap50_high": judged.ap50.high,
        "ap": judged.ap.value,
        "classes": {name: judged.class_ap50[index].value for index, name in enumerate(classes)},
        "out_of_fold_ap50": outcome.evaluation.intervals.ap50.value,
        "train_seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak,
    }


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; the bounds are means of the seeds' own 95 % intervals over images."""
    means = ("ap50", "ap50_low", "ap50_high", "ap", "out_of_fold_ap50", "train_seconds", "cpu_seconds")
    return {
        **{key: round(statistics.mean(result[key] for result in results), 4) for key in means},
        "peak_mb": round(max(result["peak_mb"] for result in results)),
        "images": results[0]["images"],
        "seeds": [result["seed"] for result in results],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--shots", type=int, default=50)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as name:
        prepare_backbone("efficientnet_lite0", Path(name))
        for seed in [int(seed) for seed in options.seeds.split(",")]:
            result = measure(
                options.data, shots=options.shots, seed=seed, recipe=find_recipe(options.recipe),
                threads=options.threads, backbones=Path(name),
            )  # fmt: skip
            results.append(result)
            print(
                f"seed {seed}: AP50 {result['ap50']:.3f} ({result['ap50_low']:.3f}–{result['ap50_high']:.3f}) on"
                f" {result['left_out']} left out, out of fold {result['out_of_fold_ap50']:.3f}, AP {result['ap']:.3f};"
                f" {result['train_seconds']:.0f} s ({result['cpu_seconds']:.0f} CPU), {result['peak_mb']:.0f} MB"
            )
            print("  " + ", ".join(f"{name} {value:.2f}" for name, value in result["classes"].items()))
    summary = {"data": options.data.name, "recipe": options.recipe, "threads": options.threads, **summarise(results)}
    print(
        f"{summary['data']}, {summary['images']} images: AP50 {summary['ap50']:.3f}"
        f" ({summary['ap50_low']:.3f}–{summary['ap50_high']:.3f}), AP {summary['ap']:.3f},"
        f" {summary['train_seconds']:.0f} s on {options.threads} threads, {summary['peak_mb']} MB"
    )
    if options.json:
        print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
