"""Keyset pagination: `{next, previous, results}`, no COUNT and no OFFSET.

Ids are UUIDv7, so "newest first" is descending id, and a cursor is a direction and an id. A page costs the same at
any depth.
"""

import base64
import binascii
import uuid
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from tenants.refusals import Invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


def paginated(request: Request, rows: QuerySet[Any], serializer: Any, *, most: int = MAX_LIMIT) -> Response:
    """The page of `rows` that the request's `limit` and `cursor` ask for, newest first.

    `serializer` is a serializer class. Where rows are heavy a page has `most` of them, whatever limit is asked for.
    Raises Invalid on a bad limit or cursor.
    """
    limit = min(_limit(request), most)
    backward, edge = _decode(request.query_params.get("cursor"))
    if backward:
        found = list(rows.filter(id__gt=edge).order_by("id")[: limit + 1])
        more_before, more_after = len(found) > limit, True
        page = found[:limit][::-1]
    else:
        newest_first = rows.order_by("-id") if edge is None else rows.filter(id__lt=edge).order_by("-id")
        found = list(newest_first[: limit + 1])
        more_before, more_after = edge is not None, len(found) > limit
        page = found[:limit]
    return Response(
        {
            "next": _link(request, "n", page[-1].id) if page and more_after else None,
            "previous": _link(request, "p", page[0].id) if page and more_before else None,
            "results": serializer(page, many=True).data,
        }
    )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT):
        raise Invalid("limit", f"`limit` must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _link(request: Request, direction: str, edge: uuid.UUID) -> str:
    cursor = base64.urlsafe_b64encode(direction.encode() + edge.bytes).decode().rstrip("=")
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


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
