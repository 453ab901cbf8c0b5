"""Lists as the API answers them: `{next, previous, results}`, by keyset (`tenants.pagination`)."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from tenants.pagination import page_of_rows
from tenants.refusals import Invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


def paginated(request: Request, rows: QuerySet[Any], serializer: Any, *, most: int = MAX_LIMIT) -> Response:
    """The page of `rows` that the request's `limit` and `cursor` ask for, newest first.

    `serializer` is a serializer class. Where rows are heavy a page has `most` of them, whatever limit is asked for.
    Raises Invalid on a bad limit or cursor.
    """
    page = page_of_rows(rows, cursor=request.query_params.get("cursor"), limit=min(_limit(request), most))
    return Response(
        {
            "next": _link(request, page.next),
            "previous": _link(request, page.previous),
            "results": serializer(page.rows, many=True).data,
        }
    )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT):
        raise Invalid("limit", f"`limit` must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)
