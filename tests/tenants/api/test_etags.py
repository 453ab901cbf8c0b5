"""Tags of representations, and those of seats over HTTP."""

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers

from tenants.api.etags import PreconditionFailed, etag_of, expectation, is_known
from tests.cast import Cast
from tests.tenants.api.test_problems import problem


class Book(serializers.Serializer[Any]):
    drifts = ("count",)
    name = serializers.CharField()
    count = serializers.IntegerField()


def tag(**fields: Any) -> str:
    return etag_of({"name": "a", "count": 1} | fields, serializer=Book)


def test_a_tag_is_of_the_whole_and_in_two_parts() -> None:
    assert tag() == tag()
    assert etag_of({"count": 1, "name": "a"}, serializer=Book) == tag()
    edited, drifted = tag(name="b").strip('"').split("."), tag(count=2).strip('"').split(".")
    before = tag().strip('"').split(".")
    assert (edited[0] == before[0], edited[1] == before[1]) == (False, True)
    assert (drifted[0] == before[0], drifted[1] == before[1]) == (True, False)
    assert "." not in etag_of({"name": "a"}, serializer=serializers.Serializer)


@pytest.mark.parametrize(
    ("held", "known"), [(None, False), ("", False), ("*", True), ('"x"', False), ("{}", True), ('W/{}, "x"', True)]
)
def test_a_copy_is_known_by_its_whole_tag(held: str | None, known: bool) -> None:
    given = held.format(tag()) if held else held
    assert is_known(tag(), if_none_match=given) is known
    assert is_known(tag(), if_none_match=tag(count=2)) is False


def refuses(given: str, **fields: Any) -> bool:
    expect = expectation(given, serializer=Book)
    assert expect is not None
    try:
        expect(SimpleNamespace(**({"name": "a", "count": 1} | fields)))
    except PreconditionFailed:
        return True
    return False


def test_what_is_expected_is_what_people_edit() -> None:
    assert not refuses(tag())
    assert not refuses(f'"x", {tag()}')
    assert not refuses(tag(), count=7)
    assert refuses(tag(), name="b")
    assert [refuses(given) for given in (f"W/{tag()}", '"x"', "x", "", '""')] == [True] * 5
    assert expectation(None, serializer=Book) is None
    assert expectation(" * ", serializer=Book) is None


def test_two_admins_change_one_seat(cast: Cast) -> None:
    address = f"/api/v1/members/{cast.bob.seat.member.id}"
    alice, read = cast.alice.api, cast.vera.api.get(address)
    assert (read.status_code, read.json()["role"]) == (200, "LABELER")
    first = alice.patch(address, {"role": "VIEWER"}, format="json", HTTP_IF_MATCH=read.headers["ETag"])
    assert (first.status_code, first.headers["ETag"]) == (200, alice.get(address).headers["ETag"])

    late = alice.patch(address, {"role": "ADMIN"}, format="json", HTTP_IF_MATCH=read.headers["ETag"])
    problem(late, 412, "precondition_failed")
    problem(alice.delete(address, HTTP_IF_MATCH=read.headers["ETag"]), 412, "precondition_failed")
    assert alice.get(address).json()["role"] == "VIEWER"
    assert alice.delete(address, HTTP_IF_MATCH=first.headers["ETag"]).status_code == 204
    problem(alice.get(address), 404, "not_found")


def test_another_tenants_seat_is_missing(cast: Cast) -> None:
    address = f"/api/v1/members/{cast.bob.seat.member.id}"
    for answer in (
        cast.charlie.api.get(address, HTTP_IF_NONE_MATCH="*"),
        cast.charlie.api.patch(address, {"role": "VIEWER"}, format="json", HTTP_IF_MATCH='"x"'),
        cast.charlie.api.delete(address, HTTP_IF_MATCH='"x"'),
    ):
        problem(answer, 404, "not_found")
