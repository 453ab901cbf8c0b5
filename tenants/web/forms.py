"""Reading a page's form: by the serializer that reads the API's body of the same verb, so that both take the same."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from tenants.api.etags import PreconditionFailed, etag_of, expectation
from tenants.api.problems import flatten
from tenants.refusals import Expectation, Invalid, Refusal


class ChangedMeanwhile(Refusal):
    status = 412
    code = "precondition_failed"
    title = "It was changed meanwhile"

    def __init__(self) -> None:
        super().__init__(
            "Somebody else changed this while you were editing; nothing of yours is saved yet.",
            hint="The page shows how it stands now, and the form what you wrote. Saving again replaces theirs.",
        )


def form_values(serializer: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says, checked and trimmed. `serializer` is a class. Raises Invalid on the first field refused."""
    read = serializer(data={name: given[name] for name in serializer().fields if name in given})
    if not read.is_valid():
        name, errors = next(iter(read.errors.items()))
        # Those of a list come by the index of the item.
        said = next(flatten(name, errors))["detail"]
        raise Invalid(name, f"{name.replace('_', ' ').capitalize()}: {said}", hint="Correct it and send it again.")
    values: dict[str, Any] = read.validated_data
    return values


def tag_of(row: Any, serializer: Any) -> str:
    """What a form carries as `seen`, to be told from a row that was changed since."""
    return etag_of(serializer(row).data, serializer=serializer)


def as_seen(request: HttpRequest, serializer: Any) -> Expectation | None:
    """That the row still is what the form's `seen` says. What it gives raises ChangedMeanwhile."""
    expect = expectation(request.POST.get("seen") or None, serializer=serializer)
    if expect is None:
        return None

    def expect_unchanged(row: Any) -> None:
        try:
            expect(row)
        except PreconditionFailed as error:
            raise ChangedMeanwhile from error

    return expect_unchanged
