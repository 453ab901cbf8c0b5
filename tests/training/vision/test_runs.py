from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.vision.conftest import draw_image
from training.vision.artifacts import pack_model
from training.vision.checkpoints import FolderCheckpoints
from training.vision.examples import Annotation, BadExample, NothingToLearn, check_examples
from training.vision.few_shot import Workbench
from training.vision.folds import TooFewGroups
from training.vision.losses import NonFiniteLoss
from training.vision.progress import RunProgress
from training.vision.recipes import Recipe
from training.vision.runs import RunOutcome, plan_run, run_recipe, shorten_recipe
from training.vision.train import Stopped


@dataclass
class Case:
    """Grey images, each with a red square."""

    images: list[object] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)

    def add(self, number: int, *, split: str = "TRAIN", group: str | None = None) -> None:
        x, y = (int(value) for value in np.random.default_rng(number).integers(0, 60, 2))
        self.images.append(draw_image(number, (x, y, x + 40, y + 40), (220, 30, 30)))
        self.annotations.append(Annotation(np.array([[x, y, x + 40, y + 40]], np.float32), np.array([0]), group))
        self.splits.append(split)


@pytest.fixture
def case() -> Case:
    made = Case()
    for number in range(6):
        made.add(number)
    return made


def run(case: Case, recipe: Recipe, workbench: Workbench, **given: object) -> RunOutcome:
    return run_recipe(
        case.images, case.annotations, ["red"], recipe, 0, splits=case.splits, workbench=workbench, **given
    )


def test_every_image_is_judged_by_a_model_that_did_not_see_it(case: Case, workbench: Workbench, tiny: Recipe) -> None:
    outcome = run(case, replace(tiny, steps=40, learning_rate=0.01), workbench)
    assert (outcome.method, outcome.folds) == ("OUT_OF_FOLD", 2)
    assert sorted(outcome.evaluation.predictions) == [0, 1, 2, 3, 4, 5]
    assert sorted(outcome.fold_of.values()) == [1, 1, 1, 2, 2, 2]
    assert outcome.evaluation.intervals.ap50.value > 0.5
    assert [step for step, _ in outcome.curve] == list(range(1, 41))


def test_siblings_take_fewer_steps_for_their_fewer_images(case: Case, tiny: Recipe) -> None:
    examples = check_examples(case.images, case.annotations, 1)
    plan = plan_run(examples, case.splits, tiny, 0, 1)
    steps = {t.name: shorten_recipe(replace(tiny, steps=9), t, plan).steps for t in plan.trainings}
    assert steps == {"final": 9, "fold-1": 4, "fold-2": 4}  # three of six images; four and a half, to the even
    assert shorten_recipe(replace(tiny, steps=1), plan.trainings[1], plan).steps == 1


def test_bytes_do_not_depend_on_threads(case: Case, workbench: Workbench, tiny: Recipe, tmp_path: Path) -> None:
    outcomes = [run(case, replace(tiny, views=2), replace(workbench, threads=threads)) for threads in (1, 2, 4)]
    assert len({str(pack_model(outcome.trained)) for outcome in outcomes}) == 1
    assert len({outcome.parity.to_bytes() for outcome in outcomes}) == 1
    scores = {b"".join(p.scores.tobytes() for p in o.evaluation.predictions.values()) for o in outcomes}
    assert len(scores) == 1


def test_grey_images_and_mapped_files_give_what_arrays_give(
    case: Case, workbench: Workbench, tiny: Recipe, tmp_path: Path
) -> None:
    case.images = [np.repeat(image[:, :, :1], 3, axis=2) for image in case.images]
    whole = run(case, tiny, workbench)
    for number, image in enumerate(case.images):
        np.save(tmp_path / f"{number}.npy", image)
        case.images[number] = tmp_path / f"{number}.npy"
    assert pack_model(run(case, tiny, workbench).trained) == pack_model(whole.trained)


@pytest.mark.parametrize("stop_after", [3, 7, 10])
def test_an_interrupted_run_ends_as_one_that_was_not(
    case: Case, workbench: Workbench, tiny: Recipe, tmp_path: Path, stop_after: int
) -> None:
    reports: list[RunProgress] = []
    kept = FolderCheckpoints(tmp_path / "kept")
    with pytest.raises(Stopped):
        run(case, tiny, workbench, checkpoints=kept, on_progress=reports.append,
            should_stop=lambda: sum(": step " in report.message for report in reports) >= stop_after)  # fmt: skip
    first = len(reports)
    resumed = run(case, tiny, workbench, checkpoints=kept, on_progress=reports.append)
    # 6 steps of the model, and 3 of each of its siblings; what was done is not done again.
    assert sum(": step " in report.message for report in reports[first:]) == 12 - stop_after
    whole = run(case, tiny, workbench)
    assert pack_model(resumed.trained) == pack_model(whole.trained)
    assert resumed.evaluation.intervals == whole.evaluation.intervals


def test_a_damaged_or_foreign_checkpoint_costs_time_only(
    case: Case, workbench: Workbench, tiny: Recipe, tmp_path: Path
) -> None:
    kept = FolderCheckpoints(tmp_path)
    run(case, replace(tiny, steps=3), workbench, checkpoints=kept)
    kept.save("fold-1", step=2, data=b"no safetensors")
    again = run(case, tiny, workbench, checkpoints=kept)
    assert pack_model(again.trained) == pack_model(run(case, tiny, workbench).trained)


def test_progress_rises_to_its_total(case: Case, workbench: Workbench, tiny: Recipe) -> None:
    reports: list[RunProgress] = []
    run(case, tiny, replace(workbench, threads=2), on_progress=reports.append)
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert reports[-1].done == reports[-1].total
    assert {tuple(report.losses) for report in reports} == {(), ("classification", "box")}
    assert any(report.message == "Training the model: step 6 of 6" for report in reports)


def test_what_fails_in_one_training_ends_the_run(case: Case, workbench: Workbench, tiny: Recipe) -> None:
    with pytest.raises(NonFiniteLoss, match="box = inf"):
        run(case, replace(tiny, box_weight=float("inf")), replace(workbench, threads=2))


def plan(case: Case, recipe: Recipe, classes: int = 1) -> tuple[str, int, list[tuple[str, int, int]]]:
    made = plan_run(check_examples(case.images, case.annotations, classes), case.splits, recipe, 0, classes)
    return made.method, made.folds, [(t.name, len(t.learnt), len(t.judged)) for t in made.trainings]


def test_a_large_test_split_judges_the_model_itself(case: Case, tiny: Recipe) -> None:
    for number in range(30):
        case.add(100 + number, split="TEST")
    assert plan(case, tiny) == ("TEST_SPLIT", 0, [("final", 6, 30)])
    # A second class without a box in it cannot be judged there.
    assert plan(case, tiny, classes=2)[0] == "OUT_OF_FOLD"
    # Of a group that is learnt from: not to be judged, wherever it was put; 29 are too few.
    case.annotations[0] = replace(case.annotations[0], group="board")
    case.annotations[6] = replace(case.annotations[6], group="board")
    assert plan(case, tiny) == ("OUT_OF_FOLD", 2, [("final", 36, 0), ("fold-1", 18, 18), ("fold-2", 18, 18)])


def test_a_copy_in_the_test_split_is_not_judged_there(case: Case, tiny: Recipe) -> None:
    for number in range(30):
        case.add(100 + number, split="TEST")
    case.images.append(case.images[0])
    case.annotations.append(case.annotations[0])
    case.splits.append("TEST")
    assert plan(case, tiny) == ("TEST_SPLIT", 0, [("final", 7, 30)])


def test_too_little_is_said_before_anything_is_computed(case: Case, workbench: Workbench, tiny: Recipe) -> None:
    def refused(error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match):
            run(case, tiny, workbench)

    whole = replace(case)
    case.annotations = [Annotation() for _ in case.images]
    refused(NothingToLearn, "no image has a box: mark at least one defect")
    case.annotations = [*whole.annotations[:-1], Annotation(np.array([[9, 9, 2, 2]], np.float32), np.array([0]))]
    refused(BadExample, "image 5, box 0: box 9, 9, 2, 2 is inverted or empty")
    case.annotations = [replace(annotation, group="one") for annotation in whole.annotations]
    refused(TooFewGroups, "6 images form 1 group")
    case.images, case.annotations, case.splits = [whole.images[0]] * 4, [whole.annotations[0]] * 4, ["TRAIN"] * 4
    refused(TooFewGroups, "4 images form 1 group")
    case.images, case.annotations, case.splits = whole.images[:2], [whole.annotations[0], Annotation()], ["TRAIN"] * 2
    refused(NothingToLearn, "all boxes are in images of one group")
    case.images, case.annotations, case.splits = whole.images[:1], whole.annotations[:1], ["TRAIN"]
    refused(NothingToLearn, "one image cannot both be learnt from and judged on")
    assert workbench.cache.bytes_used == 0
