"""Folds by group: images of one group stand on one side, sides are of like size and have like classes."""

from collections.abc import Sequence

import numpy as np

from training.vision.examples import Example


class TooFewGroups(ValueError):
    """There are not two groups, so nothing can be left out for evaluation."""


def assign_folds(examples: Sequence[Example], folds: int, seed: int) -> list[int]:
    """Fold of each example, 0 to at most folds - 1 (fewer folds where groups are fewer); never one group in two folds.

    Groups are dealt out, those with rare classes first, each to the fold that has least of its classes, then of images.
    """
    groups: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        groups.setdefault(example.group, []).append(index)
    if len(groups) < 2:
        raise TooFewGroups(f"{len(examples)} images form {len(groups)} group: add images that are not copies")
    count = max(2, min(folds, len(groups)))
    class_count = 1 + max((int(c) for example in examples for c in example.classes), default=0)
    boxes = np.array([np.bincount(example.classes, minlength=class_count) for example in examples], float)
    rarity = 1 / np.maximum(boxes.sum(axis=0), 1)
    names = [sorted(groups)[i] for i in np.random.default_rng(seed).permutation(len(groups))]
    names.sort(key=lambda name: -float((boxes[groups[name]].sum(axis=0) * rarity).sum()))
    fold_boxes, fold_images = np.zeros((count, class_count)), np.zeros(count)
    chosen = [0] * len(examples)
    for name in names:
        members = groups[name]
        wanted = boxes[members].sum(axis=0) * rarity
        load = (fold_boxes * rarity) @ (wanted > 0) + fold_images * count / len(examples)
        fold = int(np.argmin(load))
        fold_boxes[fold] += boxes[members].sum(axis=0)
        fold_images[fold] += len(members)
        for index in members:
            chosen[index] = fold
    return chosen
