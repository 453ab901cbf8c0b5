"""What a domain verb raises when it will not do as asked. Each kind stands beside the verb that raises it."""

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model


class Refusal(Exception):
    """An expected refusal, with what happened (`detail`) and what to do about it (`hint`).

    The API turns it into an RFC 9457 problem of `status` with the stable `code`.
    """

    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"
    title: ClassVar[str] = "Not possible now"
    # Seconds after which asking again may succeed; 0 where waiting does not help.
    retry_after: int = 0

    def __init__(self, detail: str, *, hint: str = "", **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.extra = extra


# What a verb asks, of the row that it has locked and not yet changed, in the caller's name; raises a Refusal.
Expectation = Callable[[Any], None]


class NotFound(Refusal):
    """Missing, or another tenant's: the same answer to the byte."""

    status = 404
    code = "not_found"
    title = "Not found"

    def __init__(self) -> None:
        super().__init__(
            "There is nothing at this address.",
            hint="Check the id; it may belong to another tenant, or have been deleted.",
        )


class Invalid(Refusal):
    """The input cannot be used. `field` says where."""

    status = 400
    code = "validation_failed"
    title = "The input is not valid"

    def __init__(self, field: str, detail: str, *, hint: str = "") -> None:
        super().__init__(detail, hint=hint, errors=[{"field": field, "detail": detail}])


def refuse_invalid(row: Model, *, exclude: Collection[str] = ()) -> None:
    """Raises Invalid on the first field whose value the model's validators do not take. Asks no database."""
    try:
        row.clean_fields(exclude=set(exclude))
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(field, " ".join(messages)) from error
