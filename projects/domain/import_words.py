"""What a check's report says of each kind of problem: what was found, and what the commit will do about it."""

from collections.abc import Iterable
from typing import Any

from projects.domain.archives.contents import Kind, Problems

_OUT = "Left out."
_WORDS: dict[Kind, tuple[str, str]] = {
    Kind.UNSAFE_NAME: ("Entries whose names are absolute, or lead out of the archive.", _OUT),
    Kind.UNSUPPORTED_MEMBER: ("Entries that are neither images nor labels.", _OUT),
    Kind.DUPLICATE_ENTRY: ("Entries of a name that came before.", "The first of a name is read, the others are not."),
    Kind.UNREADABLE_IMAGE: ("Files that cannot be taken as images.", "Left out; their labels, too."),
    Kind.UNREADABLE_LABELS: ("Files of labels that cannot be read.", "Their images are taken without labels."),
    Kind.UNREADABLE_SIDECAR: ("myriad.json cannot be read.", "Taken as if it were not there."),
    Kind.UNUSABLE_FIELD: (
        "Splits, groups, names or metadata that are none.",
        "Left out; the images are taken without them. A split is TRAIN, VALIDATION or TEST.",
    ),
    Kind.AMBIGUOUS_FILE: (
        "Labels of which it cannot be told which file they mean, or files that are labelled twice.",
        "Left out: those images stay without labels.",
    ),
    Kind.DUPLICATE_ID: (
        "Ids that several images, or several classes, of one file have.",
        "What names them is left out: it cannot be told which is meant. Number them anew, and import again.",
    ),
    Kind.DANGLING_ANNOTATION: ("Annotations of an image or class that the archive does not describe.", _OUT),
    Kind.BAD_BOX: ("Boxes that are empty or inverted, or are not four finite numbers.", _OUT),
    Kind.TOO_MANY_BOXES: ("Images with more boxes than an image may have.", "Taken without labels."),
    Kind.CROWD: ("Crowd annotations, which stand for no single object.", _OUT),
    Kind.BOX_OF_POLYGON: ("Annotations that have a polygon and no box.", "The box around the polygon is drawn."),
    Kind.ZERO_BASED: (
        "Some corners are 0, so the archive counts pixels from 0, not from 1 as Pascal VOC does.",
        "All its boxes are read so: x = xmin, width = xmax - xmin.",
    ),
    Kind.UNKNOWN_CLASS: (
        "Boxes of classes that the label book does not have.",
        "With CREATE the classes are made; with SKIP these boxes are left out, and images that keep none, unlabelled.",
    ),
    Kind.BOX_CLIPPED: ("Boxes that stick out of their image.", "Cut at the image's edge."),
    Kind.BOX_OUTSIDE: (
        "Boxes that lie outside their image.",
        "Left out; an image of which no box is left stays without labels.",
    ),
    Kind.BOX_TOO_SMALL: (
        "Boxes of less than one pixel inside their image.",
        "Left out; an image of which no box is left stays without labels.",
    ),
    Kind.SIZE_DIFFERS: (
        "Images of another size than their labels were drawn on.",
        "The boxes are taken as they are: look at some of these images before you trust them.",
    ),
    Kind.DUPLICATE_IMAGE: ("Files with the same bytes as another in the archive.", "Taken once."),
    Kind.CONFLICTING_BOXES: (
        "Images that come several times, with different boxes.",
        "Taken once, without labels: label them by hand, or correct the archive.",
    ),
    Kind.SEVERAL_CLASSES: (
        "Images with boxes of several classes, in a project whose images have one class each.",
        "Taken without labels: label them by hand, or import them into a detection project.",
    ),
    Kind.SAME_NAME: ("Different images of the same name.", "All are taken; their ids tell them apart."),
    Kind.EXISTING_IMAGE: (
        "Images that are in the project already.",
        "Not taken again; their splits and metadata stay as they are.",
    ),
    Kind.EXISTING_DIFFERS: (
        "Images of the project whose boxes differ from the archive's.",
        "The archive's boxes become a new version in your name; the old ones stay in the history.",
    ),
    Kind.MISSING_FILE: ("Images that are labelled and not there, in the archive or the project.", _OUT),
    Kind.FOUND_IN_PROJECT: (
        "Images that are labelled and not in the archive; the project has one of that name.",
        "The project's image is annotated.",
    ),
    Kind.NO_ANNOTATION: ("Images of which the archive says nothing.", "Taken without labels."),
    Kind.REFUSED_FILE: ("Images that cannot be registered as they are described.", _OUT),
    Kind.OVER_QUOTA: ("The new images do not fit into the quota.", "Those that come when it is reached are left out."),
}


def in_words(*found: Problems) -> list[dict[str, Any]]:
    """The problems as the report lists them, each kind once."""
    kinds: Iterable[Kind] = dict.fromkeys(kind for problems in found for kind in problems.kinds)
    lines = []
    for kind in kinds:
        parts = [problems.kinds[kind] for problems in found if kind in problems.kinds]
        message, action = _WORDS[kind]
        references = [
            {"file": place.file, "where": place.where, "detail": place.detail}
            for part in parts
            for place in part.references
        ]
        count = sum(part.count for part in parts)
        lines.append(
            {"kind": str(kind), "count": count, "message": message, "action": action, "references": references}
        )
    return lines


def warning(kind: Kind, places: list[tuple[str, str]]) -> dict[str, str]:
    """What the results say of one image's boxes of one kind."""
    told = ", ".join(f"{where} ({detail})" if detail else where for where, detail in places[:5])
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    return {"code": str(kind), "message": f"{_WORDS[kind][0]} {told}{more}."}
