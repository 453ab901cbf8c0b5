"""How many models of fifty images one worker trains in an hour: one run after the other, several at once in one engine.

The peer is what one would do without a shared backbone: fine-tuning it for each model (recipe `full`), one at a time.
Runs are those that the service executes, their evaluation out of fold included; packed ones are of one process, share
its backbone, and are told apart by folder alone: each has its own images, views and checkpoints. Every run learns other
images, so that none finds another's features in a cache.
Usage: python -m tests.benchmarks.models_per_hour --data COCO_DIR [--shots 50] [--runs 4] [--json]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.coco_shots import Picture, deal, read_folder
from tests.benchmarks.few_shot import run_shots
from training.vision.artifacts import pack_model
from training.vision.backbones import prepare_backbone
from training.vision.recipes import Recipe, find_recipe

WANT_PACKED = 2.0


class Worker:
    """One process and its cores."""

    def __init__(self, data: Path, *, shots: int, folder: Path, threads: int) -> None:
        self._pictures, self._classes = read_folder(data)
        self._shots, self._folder, self._threads = shots, folder, threads
        self._backbones = folder / "backbones"
        prepare_backbone("efficientnet_lite0", self._backbones)

    def train(self, number: int, recipe: Recipe, *, threads: int, name: str) -> bytes:
        """One run; the bytes of its weights."""
        learnt: list[Picture] = deal(self._pictures, shots=self._shots, most=1, seed=number)[0]
        scratch = self._folder / f"{name}-{number}"
        scratch.mkdir()
        outcome, _ = run_shots(
            learnt, self._classes, recipe, number, folder=scratch, backbones=self._backbones, threads=threads
        )
        return b"".join(pack_model(outcome.trained).values())

    def one_by_one(self, runs: int, recipe: Recipe, *, name: str) -> tuple[float, list[bytes]]:
        """Seconds a model, each with all cores to itself, and the models."""
        started = time.perf_counter()
        models = [self.train(number, recipe, threads=self._threads, name=name) for number in range(runs)]
        return (time.perf_counter() - started) / runs, models

    def packed(self, runs: int, recipe: Recipe) -> tuple[float, list[bytes]]:
        """Seconds a model, as many at once as there are cores, one core each."""
        started = time.perf_counter()
        with ThreadPoolExecutor(self._threads) as pool:
            models = list(pool.map(lambda n: self.train(n, recipe, threads=1, name="packed"), range(runs)))
        return (time.perf_counter() - started) / runs, models


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--shots", type=int, default=50)
    parser.add_argument("--runs", type=int, default=4, help="of recipe fast; of full one is enough to time it")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fast, full = find_recipe("fast"), find_recipe("full")
    with tempfile.TemporaryDirectory() as name:
        worker = Worker(options.data, shots=options.shots, folder=Path(name), threads=options.threads)
        alone, models = worker.one_by_one(options.runs, fast, name="alone")
        together, packed_models = worker.packed(options.runs, fast)
        tuned, _ = worker.one_by_one(1, full, name="full")
    if models != packed_models:
        raise SystemExit("a packed run gave another model than the same run alone")
    summary = {
        "data": options.data.name,
        "threads": options.threads,
        "runs": options.runs,
        "alone_per_hour": round(3600 / alone, 1),
        "packed_per_hour": round(3600 / together, 1),
        "full_per_hour": round(3600 / tuned, 1),
        "packed_over_alone": round(alone / together, 3),
        "ratio": round(tuned / together, 3),
        "against": "recipe full, one run at a time",
    }
    print(
        f"{summary['alone_per_hour']} models an hour one after the other, {summary['packed_per_hour']} packed"
        f" ({summary['packed_over_alone']} ×, wanted {WANT_PACKED}), {summary['full_per_hour']} fully fine-tuned;"
        f" {summary['ratio']} × those"
    )
    if options.json:
        print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
