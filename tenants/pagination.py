"""Keyset paging, for the API and for pages: no COUNT and no OFFSET.

Ids are UUIDv7, so "newest first" is descending id, and a cursor is a direction and an id. A page costs the same at
any depth.
"""

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from tenants.refusals import Invalid


@dataclass(frozen=True)
class RowPage:
    """Rows, newest first, and the cursors of the pages beside them; None at the ends."""

    rows: list[Any]
    next: str | None
    previous: str | None


def page_of_rows(rows: QuerySet[Any], *, cursor: str | None, limit: int) -> RowPage:
    """The page of `limit` rows that the cursor names, the newest without one. One query. Raises Invalid."""
    backward, edge = _decode(cursor)
    if backward:
        found = list(rows.filter(id__gt=edge).order_by("id")[: limit + 1])
        more_before, more_after = len(found) > limit, True
        page = found[:limit][::-1]
    else:
        newest_first = rows.order_by("-id") if edge is None else rows.filter(id__lt=edge).order_by("-id")
        found = list(newest_first[: limit + 1])
        more_before, more_after = edge is not None, len(found) > limit
        page = found[:limit]
    return RowPage(
        rows=page,
        next=_cursor("n", page[-1].id) if page and more_after else None,
        previous=_cursor("p", page[0].id) if page and more_before else None,
    )


def _cursor(direction: str, edge: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(direction.encode() + edge.bytes).decode().rstrip("=")


def _decode(text: str | None) -> tuple[bool, uuid.UUID | None]:
    if text is None:
        return False, None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 17 or raw[:1] not in (b"n", b"p"):
        raise Invalid("cursor", "This cursor was not given out by us.", hint="Start again without `cursor`.")
    return raw[:1] == b"p", uuid.UUID(bytes=raw[1:])
