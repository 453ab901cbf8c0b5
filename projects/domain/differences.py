"""What changed from one manifest to another: images, their boxes, the label book."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from projects.domain.manifests import Manifest, ManifestClass, ManifestImage

# Entries that an answer names; the counts are of all.
MAX_LISTED = 1000
# What of an image may change beside its boxes.
_FIELDS = ("filename", "split", "group", "metadata")


@dataclass(frozen=True)
class ImageDifference:
    """One image that is new, gone, or not as it was. A box that is neither kept nor paired is added or removed."""

    image: uuid.UUID
    filename: str
    change: str  # ADDED, REMOVED or CHANGED
    boxes_added: int
    boxes_removed: int
    boxes_changed: int
    # Of those that differ: name → (before, after).
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Renamed:
    id: uuid.UUID
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """From `before` to `after`."""

    images: dict[str, int]  # added, removed, changed, unchanged
    boxes: dict[str, int]  # added, removed, changed
    splits_changed: int
    classes_added: list[ManifestClass]
    classes_removed: list[ManifestClass]
    classes_renamed: list[Renamed]
    listed: list[ImageDifference]  # at most MAX_LISTED, in the order of their ids
    truncated: bool


def difference(*, before: Manifest, after: Manifest) -> Difference:
    """Images are matched by id, classes by id, boxes by class and place."""
    found = list(_differences(before, after))
    count = Counter(entry.change for entry in found)
    classes_before, classes_after = ({label.id: label for label in side.classes} for side in (before, after))
    both = [(classes_before[label.id], label) for label in after.classes if label.id in classes_before]
    return Difference(
        images={
            "added": count["ADDED"],
            "removed": count["REMOVED"],
            "changed": count["CHANGED"],
            "unchanged": len(after.images) - count["ADDED"] - count["CHANGED"],
        },
        boxes={
            "added": sum(entry.boxes_added for entry in found),
            "removed": sum(entry.boxes_removed for entry in found),
            "changed": sum(entry.boxes_changed for entry in found),
        },
        splits_changed=sum("split" in entry.fields for entry in found),
        classes_added=[label for label in after.classes if label.id not in classes_before],
        classes_removed=[label for label in before.classes if label.id not in classes_after],
        classes_renamed=[Renamed(new.id, old.name, new.name) for old, new in both if old.name != new.name],
        listed=found[:MAX_LISTED],
        truncated=len(found) > MAX_LISTED,
    )


def _differences(before: Manifest, after: Manifest) -> Iterator[ImageDifference]:
    old, new = ({image.id: image for image in side.images} for side in (before, after))
    for image_id in sorted(old.keys() | new.keys()):
        was, now = old.get(image_id), new.get(image_id)
        if was is None and now is not None:
            yield ImageDifference(image_id, now.filename, "ADDED", len(now.boxes), 0, 0)
        elif now is None and was is not None:
            yield ImageDifference(image_id, was.filename, "REMOVED", 0, len(was.boxes), 0)
        elif was is not None and now is not None:
            changed = _changed(was, now, _boxes(before, was), _boxes(after, now))
            yield from changed


def _boxes(manifest: Manifest, image: ManifestImage) -> Counter[tuple[Any, ...]]:
    """The image's boxes by the id of their class, whose index may differ between two manifests."""
    return Counter((manifest.classes[box.class_index].id, box.x, box.y, box.width, box.height) for box in image.boxes)


def _changed(
    was: ManifestImage, now: ManifestImage, old: Counter[tuple[Any, ...]], new: Counter[tuple[Any, ...]]
) -> Iterable[ImageDifference]:
    gone, come = (old - new).total(), (new - old).total()
    fields = {
        name: (getattr(was, name), getattr(now, name)) for name in _FIELDS if getattr(was, name) != getattr(now, name)
    }
    if gone or come or fields:
        # As many as can be taken for corrections of each other are.
        paired = min(gone, come)
        yield ImageDifference(now.id, now.filename, "CHANGED", come - paired, gone - paired, paired, fields)
