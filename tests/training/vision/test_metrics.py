import contextlib
import io

import numpy as np
import pytest

from training.vision.bootstrap import estimate_intervals
from training.vision.metrics import Truth, average_precision, match_detections, score_matches
from training.vision.sessions import Prediction


def prediction(rows: list[list[float]]) -> Prediction:
    """Rows of x1, y1, x2, y2, score, class."""
    table = np.array(rows, float).reshape(-1, 6)
    return Prediction(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def truth(rows: list[list[float]]) -> Truth:
    table = np.array(rows, float).reshape(-1, 5)
    return Truth(table[:, :4], table[:, 4].astype(np.int64))


def test_average_precision_by_hand() -> None:
    truths = [truth([[0, 0, 10, 10, 0], [20, 20, 30, 30, 0]])]
    found = [prediction([[0, 0, 10, 10, 0.9, 0], [50, 50, 60, 60, 0.8, 0], [20, 20, 30, 30, 0.7, 0]])]
    values = average_precision(match_detections(found, truths, 1)[0])
    # Hit, miss, hit: precision 1 up to recall 0.5 (51 of 101 recalls), then 2/3 (50 of 101).
    np.testing.assert_allclose(values, np.full(10, (51 + 50 * 2 / 3) / 101))


def test_a_true_box_is_found_once() -> None:
    truths = [truth([[0, 0, 10, 10, 0]])]
    found = [prediction([[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 9.9, 0.8, 0]])]
    assert match_detections(found, truths, 1)[0].hits[0].tolist() == [True, False]


def test_iou_decides_at_which_thresholds_a_box_counts() -> None:
    # IoU 72/100: thresholds 0.50 to 0.70, five of ten.
    scores = score_matches(match_detections([prediction([[0, 0, 10, 7.2, 0.9, 0]])], [truth([[0, 0, 10, 10, 0]])], 1))
    assert (scores.ap50, scores.ap) == (pytest.approx(1.0), pytest.approx(0.5))


def test_a_class_without_true_boxes_is_left_out_of_the_mean() -> None:
    matches = match_detections([prediction([[0, 0, 10, 10, 0.9, 0]])], [truth([[0, 0, 10, 10, 0]])], 2)
    scores = score_matches(matches)
    assert scores.ap50 == pytest.approx(1.0)
    assert np.isnan(scores.class_ap50[1])


@pytest.mark.filterwarnings("ignore")  # pycocotools warns of its own
@pytest.mark.parametrize("seed", range(6))
def test_equal_to_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truths, found = random_case(rng, images=12, classes=3)
    ours = score_matches(match_detections(found, truths, 3))
    ap, ap50 = score_with_pycocotools(truths, found, classes=3)
    assert (ours.ap, ours.ap50) == (pytest.approx(ap, abs=1e-9), pytest.approx(ap50, abs=1e-9))


def random_case(rng: np.random.Generator, images: int, classes: int) -> tuple[list[Truth], list[Prediction]]:
    """True boxes, and detections that are noisy copies of some of them, doubles and strays; some images are empty."""
    truths, found = [], []
    for _ in range(images):
        count = int(rng.integers(0, 6))
        corners, labels = rng.uniform(0, 80, (count, 2)), rng.integers(0, classes, count)
        boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (count, 2))], axis=1)
        truths.append(Truth(boxes, labels))
        copies = np.concatenate([boxes, boxes, boxes[: count // 2]]) + rng.uniform(-2, 2, (2 * count + count // 2, 4))
        strays = rng.uniform(0, 50, (3, 2))
        every = np.concatenate([copies, np.concatenate([strays, strays + 20], axis=1)])
        names = np.concatenate([labels, labels, labels[: count // 2], rng.integers(0, classes, 3)])
        # One decimal, so that equal scores occur.
        found.append(Prediction(every, np.round(rng.uniform(0, 1, len(every)), 1), names))
    return truths, found


def score_with_pycocotools(truths: list[Truth], found: list[Prediction], classes: int) -> tuple[float, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(image: int, item: Truth | Prediction) -> list[dict[str, object]]:
        sizes = np.concatenate([item.boxes[:, :2], item.boxes[:, 2:] - item.boxes[:, :2]], axis=1)
        return [
            {"image_id": image, "category_id": int(label), "bbox": size.tolist(), "area": float(size[2] * size[3])}
            for size, label in zip(sizes, item.classes, strict=True)
        ]

    annotations = [row for image, item in enumerate(truths) for row in rows(image, item)]
    detections = []
    for image, item in enumerate(found):
        detections += [{**row, "score": float(s)} for row, s in zip(rows(image, item), item.scores, strict=True)]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(len(truths))],
            "categories": [{"id": number} for number in range(classes)],
            "annotations": [{**row, "id": n + 1, "iscrowd": 0} for n, row in enumerate(annotations)],
        }
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(detections), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])


def test_weights_count_an_image_as_often_as_it_was_drawn() -> None:
    truths, found = random_case(np.random.default_rng(1), images=5, classes=2)
    for prediction_ in found:
        prediction_.scores[:] = np.random.default_rng(2).permutation(len(prediction_.scores)) / 7.0  # no ties
    for image, prediction_ in enumerate(found):
        prediction_.scores[:] += image / 1000
    matches = match_detections(found, truths, 2)
    dropped = score_matches(matches, np.array([1.0, 0.0, 1.0, 1.0, 1.0]))
    kept = [0, 2, 3, 4]
    again = score_matches(match_detections([found[i] for i in kept], [truths[i] for i in kept], 2))
    assert dropped.ap == pytest.approx(again.ap)


def test_intervals_hold_the_value_and_repeat_with_the_seed() -> None:
    truths, found = random_case(np.random.default_rng(4), images=20, classes=2)
    matches = match_detections(found, truths, 2)
    first, second = (estimate_intervals(matches, seed=7, resamples=100) for _ in range(2))
    assert first == second
    assert first.ap50.low < first.ap50.value < first.ap50.high


def test_the_interval_of_a_perfect_model_is_a_point() -> None:
    truths = [truth([[0, 0, 10, 10, 0]]) for _ in range(5)]
    found = [prediction([[0, 0, 10, 10, 0.9, 0]]) for _ in range(5)]
    interval = estimate_intervals(match_detections(found, truths, 1), seed=0, resamples=50).ap50
    assert (interval.value, interval.low, interval.high) == pytest.approx((1.0, 1.0, 1.0))


def test_nothing_to_find_has_no_interval() -> None:
    interval = estimate_intervals(match_detections([prediction([])], [truth([])], 1), seed=0, resamples=5).ap50
    assert np.isnan([interval.value, interval.low, interval.high]).all()
