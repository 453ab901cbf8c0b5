"""What changed between two snapshots, in words."""

from typing import Any

from projects.domain.differences import Difference, ImageDifference

# Images that the page names.
MOST_LISTED = 50
_CHANGES = {"ADDED": "new", "REMOVED": "gone", "CHANGED": "changed"}


def told_difference(found: Difference) -> dict[str, Any]:
    """`lines` are sentences, `listed` the images that differ: what happened to each, and what of it."""
    images, boxes = found.images, found.boxes
    lines = [
        _sentence("image", new=images["added"], gone=images["removed"], changed=images["changed"]),
        _sentence("box", new=boxes["added"], gone=boxes["removed"], changed=boxes["changed"]),
    ]
    if found.splits_changed:
        lines.append(f"{_counted(found.splits_changed, 'image')} moved to another split.")
    lines += [f"The class {label.name} is new." for label in found.classes_added]
    lines += [f"The class {label.name} is gone." for label in found.classes_removed]
    lines += [f"The class {renamed.before} is called {renamed.after} now." for renamed in found.classes_renamed]
    shown = found.listed[:MOST_LISTED]
    return {
        "lines": [line for line in lines if line] or ["Nothing: both hold the same."],
        "unchanged": images["unchanged"],
        "listed": [_image(entry) for entry in shown],
        "more": images["added"] + images["removed"] + images["changed"] - len(shown),
    }


def _sentence(name: str, *, new: int, gone: int, changed: int) -> str:
    parts = [f"{count} {word}" for count, word in ((new, "new"), (changed, "changed"), (gone, "gone")) if count]
    if not parts:
        return ""
    many = "es" if name == "box" else "s"
    return f"{name.capitalize()}{many}: {', '.join(parts)}."


def _image(entry: ImageDifference) -> dict[str, Any]:
    boxes = (("more", entry.boxes_added), ("less", entry.boxes_removed), ("changed", entry.boxes_changed))
    if entry.change == "ADDED":
        said = [_counted(entry.boxes_added, "box")]
    else:
        said = [f"{_counted(count, 'box')} {word}" for word, count in boxes if count]
    for name, (before, after) in entry.fields.items():
        said.append("other metadata" if name == "metadata" else f"{name} {before or 'none'} → {after or 'none'}")
    return {
        "id": entry.image,
        "filename": entry.filename,
        "change": _CHANGES[entry.change],
        "there": entry.change != "REMOVED",
        "words": ", ".join(said),
    }


def _counted(count: int, name: str) -> str:
    many = "es" if name == "box" else "s"
    return f"{count} {name}" if count == 1 else f"{count} {name}{many}"
