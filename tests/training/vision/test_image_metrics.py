"""Figures of models that judge whole images, against ones computed by hand."""

import math

import numpy as np
import pytest

from training.vision.image_metrics import (
    compute_ece,
    compute_log_loss,
    estimate_auroc,
    estimate_share,
    rank_scores,
    score_classification,
)

ONES = np.ones(5)


def test_auroc_counts_pairs_and_ties_by_half() -> None:
    # Positives 0.9 and 0.4, negatives 0.4, 0.1 and 0.5: of six pairs 3 + 1.5 are in order.
    scores, positive = np.array([0.9, 0.4, 0.4, 0.1, 0.5]), np.array([True, True, False, False, False])
    assert rank_scores(scores, positive).auroc(ONES) == pytest.approx(4.5 / 6)
    # The second positive counts twice, the last negative not at all: of six pairs 2 + 2 · 1.5.
    assert rank_scores(scores, positive).auroc(np.array([1, 2, 1, 1, 0.0])) == pytest.approx(5 / 6)
    assert rank_scores(-scores, positive).auroc(ONES) == pytest.approx(1.5 / 6)
    assert math.isnan(rank_scores(scores, np.zeros(5, bool)).auroc(ONES))
    assert math.isnan(rank_scores(scores[:0], positive[:0]).auroc(ONES[:0]))


def test_intervals_of_auroc_shrink_with_images() -> None:
    rng = np.random.default_rng(3)
    widths = []
    for images in (40, 640):
        positive = rng.random(images) < 0.5
        interval = estimate_auroc(rng.normal(size=images) + positive, positive, seed=1)
        assert interval.low < interval.value < interval.high
        widths.append(interval.high - interval.low)
    assert widths[0] > 2.5 * widths[1], "sixteen times the images make a quarter of the width"
    nothing = estimate_auroc(np.array([0.5, 0.4]), np.array([True, True]), seed=1)
    assert nothing.to_json() is None


def test_shares_have_wilsons_interval() -> None:
    # Of Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I: 81 of 263, and 0 of 20.
    assert estimate_share(81, 263).to_json() == pytest.approx(
        {"value": 0.307985, "low": 0.2553, "high": 0.3662}, abs=1e-4
    )
    assert estimate_share(0, 20).to_json() == pytest.approx({"value": 0, "low": 0, "high": 0.1611}, abs=1e-4)
    assert estimate_share(20, 20).high == 1
    assert estimate_share(0, 0).to_json() is None


def test_log_loss_and_calibration_error() -> None:
    probabilities, truth = np.array([[0.8, 0.2], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]]), np.array([0, 1, 0, 1])
    expected = -(math.log(0.8) + math.log(0.25) + math.log(0.5) + math.log(1)) / 4
    assert compute_log_loss(probabilities, truth, np.ones(4)) == pytest.approx(expected)
    assert compute_log_loss(probabilities, truth, np.array([0, 0, 0, 1.0])) == 0
    # Surely wrong is bad, but not infinitely so.
    assert compute_log_loss(np.array([[0.0, 1.0]]), np.array([0]), np.ones(1)) == pytest.approx(-math.log(1e-7))
    # Bins by the told probability: 0.8 right; 0.75 wrong; 0.5 right; 1.0 right.
    assert compute_ece(probabilities, truth, np.ones(4)) == pytest.approx((0.2 + 0.75 + 0.5 + 0.0) / 4)
    # Two of one bin make up for each other.
    same = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert compute_ece(same, np.array([0, 1]), np.ones(2)) == pytest.approx(0.0)


def test_a_classification_is_told_by_class() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5]])
    scores = score_classification(probabilities, np.array([0, 0, 1, 1]), seed=0)
    told = scores.to_json(["dent", "scratch", "good"])
    assert told["confusion"] == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert told["accuracy"]["value"] == 0.5
    assert [entry["name"] for entry in told["classes"]] == ["dent", "scratch", "good"]
    assert [entry["images"] for entry in told["classes"]] == [2, 2, 0]
    dent, scratch, good = told["classes"]
    assert (dent["auroc"]["value"], dent["recall"]["value"], dent["precision"]["value"]) == (1, 0.5, 1)
    # Pairs of scratch: 0.8 and 0.3 against 0.2 and 0.5.
    assert (scratch["auroc"]["value"], scratch["precision"]["value"]) == (0.75, 0.5)
    assert (good["auroc"], good["recall"], good["precision"]["value"]) == (None, None, 0)
    assert told["auroc"]["value"] == pytest.approx((1 + 0.75) / 2), "the mean of what can be measured"


def test_of_two_outputs_the_first_is_ranked() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    scores = score_classification(probabilities, np.array([0, 0, 1, 1]), seed=0)
    assert scores.auroc == scores.classes[0].auroc
    assert scores.auroc.value == 0.75
