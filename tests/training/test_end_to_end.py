"""The whole way once, with the real engine child: a tiny recipe learns, is broken off and resumed, and is exported."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cast import Person
from tests.heads import shared_graphs
from tests.projects.uploading import post
from tests.projects.working import Hand, hasten
from tests.training.computing import Quick
from tests.training.making import Works
from training.domain.checkpoints import RunCheckpoints
from training.vision import recipes
from workers.domain import computing

TINY = dataclasses.replace(
    recipes.FAST,
    name="tiny",
    long_side=128,
    views=1,
    folds=2,
    steps=6,
    fine_steps=0,
    checkpoint_steps=2,
    pyramid_channels=16,
)


@pytest.fixture
def works(alice: Person, project: str, hand: Hand, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Works]:
    """With the worker's own engine, and a recipe of seconds."""
    settings.BACKBONE_DIR = shared_graphs()
    settings.ENGINE_THREADS = 2
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY)
    yield Works(alice, project, hand, Quick())
    computing.computer.close()


@pytest.mark.timeout(300)
def test_a_run_is_computed_resumed_compared_and_exported(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    works.label(count=6)
    snapshot = works.freeze()
    whole = works.start(recipe="tiny", seed=3)
    assert works.hand.work() == ["SUCCEEDED"], works.run(whole).job.traceback

    told = works.shown(f"runs/{whole}")
    assert {"classification", "box"} <= set(told["curve"][0][1]), "named parts of the loss"
    model = works.shown(f"models/{told['model']}")
    evaluation = model["evaluation"]
    assert (evaluation["method"], evaluation["folds"], evaluation["image_count"]) == ("OUT_OF_FOLD", 2, 6)
    assert [(label["images"], label["boxes"]) for label in evaluation["metrics"]["classes"]] == [(6, 6), (6, 6)]
    assert (model["long_side"], model["snapshot"], model["lineage"]["threads"]) == (128, snapshot, 2)

    interrupted = _broken_off(works, monkeypatch)
    assert works.model(interrupted).weights_sha256 == works.model(whole).weights_sha256
    again = str(works.model(interrupted).id)
    assert works.shown(f"models/{told['model']}/compare?with={again}")["verdict"] == "CANNOT_TELL"

    post(works.person, f"models/{again}/export", {})
    assert works.hand.work() == ["SUCCEEDED"]
    exported = works.shown(f"models/{again}")["export"]
    onnx = works.storage.read(f"artifacts/{exported['onnx_sha256']}", max_bytes=10**8)
    manifest = json.loads(works.storage.read(f"artifacts/{exported['manifest_sha256']}", max_bytes=10**8))
    assert (manifest["sha256"], manifest["bytes"]) == (hashlib.sha256(onnx).hexdigest(), exported["onnx_size"])
    assert manifest["model"]["id"] == again
    assert works.objects("checkpoints") == []


def _broken_off(works: Works, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run like the other, whose first attempt fails on our side after its third part."""
    run = works.start(recipe="tiny", seed=3)
    keep, kept = RunCheckpoints.keep, []

    def fail_after_three(self: RunCheckpoints, *args: Any, **kwargs: Any) -> None:
        keep(self, *args, **kwargs)
        kept.append(args)
        if len(kept) == 3:
            raise ZeroDivisionError("ours")

    monkeypatch.setattr(RunCheckpoints, "keep", fail_after_three)
    assert works.hand.work() == ["PENDING"]
    assert works.run(run).checkpoints
    hasten(works.person)
    assert works.hand.work() == ["SUCCEEDED"], works.run(run).job.traceback
    assert works.run(run).job.attempts == 2
    return run
