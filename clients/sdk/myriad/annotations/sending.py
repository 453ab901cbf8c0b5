"""Sending annotations in batches that the server takes, and reading what came of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from myriad.annotations.report import AnnotationResult, Outcome
from myriad.errors import TooLarge, UnexpectedAnswer
from myriad.transport import Transport, path_of

# Images, and boxes, a call. The server takes 1,000 images and 8 MB; a call of this size is answered within seconds.
MOST_IMAGES = 500
MOST_BOXES = 20_000

# What an item is called in its result, where that is neither its image nor its filename. It is not sent.
NAME = "name"

Item = Mapping[str, Any]


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut the items so that no call has too many images or boxes; an image alone may have as many as it likes."""
    start = boxes = 0
    for place, item in enumerate(items):
        count = _boxes(item)
        if place > start and (place - start == MOST_IMAGES or boxes + count > MOST_BOXES):
            yield items[start:place]
            start, boxes = place, 0
        boxes += count
    if start < len(items):
        yield items[start:]


def send(transport: Transport, project_id: str, items: Sequence[Item]) -> list[AnnotationResult]:
    """Send at most one call's items and give the result of each, in order; halves what is too large after all."""
    body = {"annotations": [{key: value for key, value in item.items() if key != NAME} for item in items]}
    try:
        reply = transport.post(path_of("projects", project_id, "annotations"), body)
    except TooLarge as error:
        if len(items) == 1:
            return [_too_large(items[0], error)]
        middle = len(items) // 2
        return [*send(transport, project_id, items[:middle]), *send(transport, project_id, items[middle:])]
    document = reply.document
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or len(results) != len(items):
        raise UnexpectedAnswer(
            "The server did not answer for every annotation.",
            hint="Update the myriad package.",
            request_id=reply.request_id,
        )
    return [_result(item, answer) for item, answer in zip(items, results, strict=True)]


def name_of(item: Item) -> str:
    return str(item.get(NAME) or item.get("filename") or item.get("image") or "?")


def _boxes(item: Item) -> int:
    """None where the item says the class of the whole image."""
    return len(item.get("boxes") or ())


def _result(item: Item, answer: Mapping[str, Any]) -> AnnotationResult:
    error = answer.get("error") or {}
    outcome = str(answer.get("status"))
    return AnnotationResult(
        name=name_of(item),
        # A newer server may know more outcomes; what it wrote is written.
        outcome=Outcome(outcome) if outcome in Outcome.__members__ else Outcome.CREATED,
        boxes=_boxes(item),
        image=answer.get("image") or item.get("image"),
        annotation=answer.get("annotation"),
        warnings=tuple(_warning(warning) for warning in answer.get("warnings") or ()),
        code=str(error.get("code", "")),
        message=str(error.get("message", "")),
        hint=str(error.get("hint", "")),
    )


def _warning(given: Any) -> str:
    return str(given.get("message", given)) if isinstance(given, Mapping) else str(given)


def _too_large(item: Item, error: TooLarge) -> AnnotationResult:
    return AnnotationResult(
        name=name_of(item),
        outcome=Outcome.REJECTED,
        boxes=_boxes(item),
        image=item.get("image"),
        code=error.code,
        message=f"{name_of(item)}: {_boxes(item):,} boxes are more than the server takes.",
        hint="Leave out boxes that are not of single things.",
    )
