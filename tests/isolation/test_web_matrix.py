"""The matrix of pages in its four runs: with both guards, with either alone (nothing leaks), with none (all does)."""

import pytest
from django.test import Client

from tests.cast import Person
from tests.isolation.guards import Guards
from tests.isolation.observing import Answer, Faults
from tests.isolation.web_rows import PAGE_ROWS, PageRow
from tests.isolation.world import Holdings, World, state_of

NO_TENANT = "no-such-tenant"
# Differs from answer to answer on purpose.
VARYING_HEADERS = {"X-Request-Id", "RateLimit-Remaining", "RateLimit-Reset", "Set-Cookie"}


def ask(client: Client, slug: str, row: PageRow, *, named: Holdings, own: Holdings) -> Answer:
    method, address, body = row.request(named=named, own=own)
    given = {} if body is None else {"data": body}
    if row.is_api and body is not None and not row.file:
        given["content_type"] = "application/json"
    response = getattr(client, method.lower())(f"/t/{slug}/{address}", **given)
    headers = {name: value for name, value in response.headers.items() if name not in VARYING_HEADERS}
    return Answer(response.status_code, headers, response.content)


def browser(person: Person) -> Client:
    """Signed in anew: sessions are of one database, and the matrix runs over two."""
    client = Client(raise_request_exception=False)
    client.force_login(person.seat.member.user)
    return client


def judge(row: PageRow, world: World) -> Faults:
    """Asks in everybody's name, Acme's owner last: so she proves that there was something to be had."""
    faults, cast = Faults(), world.cast
    acme, bolt = cast.alice.tenant.slug, cast.charlie.tenant.slug
    before = state_of(world.acme.tenant)
    _judge_stranger(row, world, faults)
    after = state_of(world.acme.tenant)
    faults.add("Charlie", when=after != before, fault="changed rows of Acme's")

    answer = ask(browser(cast.vera), acme, row, named=world.acme, own=world.acme)
    faults.add("Vera", when=answer.status != row.viewer, fault=f"got {answer.status}, not {row.viewer}")
    nobody = ask(Client(), acme, row, named=world.acme, own=world.acme)
    expected = 401 if row.is_api else 302
    faults.add("nobody", when=nobody.status != expected, fault=f"got {nobody.status}, not {expected}")
    leads = nobody.headers.get("Location", "/sign-in")
    faults.add("nobody", when=not leads.startswith("/sign-in"), fault=f"is led to {leads}")
    _judge_words("nobody", nobody, row, world, faults, own=world.acme)
    faults.add("Vera or nobody", when=state_of(world.acme.tenant) != after, fault="changed rows of Acme's")

    answer = ask(browser(cast.alice), acme, row, named=world.acme, own=world.acme)
    told = answer.body.decode()[:300]
    faults.add("Alice", when=answer.status != row.owner, fault=f"got {answer.status}, not {row.owner}: {told}")
    faults.add("Alice", when=bolt in answer.text, fault="was told of Bolt")
    return faults


def _judge_stranger(row: PageRow, world: World, faults: Faults) -> None:
    charlie, nowhere = browser(world.cast.charlie), Holdings.nowhere()
    acme, bolt = world.cast.alice.tenant.slug, world.cast.charlie.tenant.slug
    there = ask(charlie, acme, row, named=world.acme, own=world.bolt)
    absent = ask(charlie, NO_TENANT, row, named=world.acme, own=world.bolt)
    faults.add("Charlie", when=there.status != 404, fault=f"got {there.status} at Acme's address")
    same = there.text.replace(acme, NO_TENANT) == absent.text
    faults.add("Charlie", when=not same, fault="can tell Acme's address from none")

    foreign = ask(charlie, bolt, row, named=world.acme, own=world.bolt)
    faults.broke = foreign.status == 500
    if row.names_things:
        missing = ask(charlie, bolt, row, named=nowhere, own=world.bolt)
        faults.add("Charlie", when=foreign.status != row.stranger, fault=f"got {foreign.status}, not {row.stranger}")
        same = foreign.without(world.acme) == missing.without(nowhere)
        faults.add("Charlie", when=not same, fault="can tell a foreign id from a missing one")
    else:
        faults.add("Charlie", when=foreign.status != row.owner, fault=f"got {foreign.status}, not {row.owner}")
    _judge_words("Charlie", foreign, row, world, faults, own=world.bolt)


def _judge_words(person: str, answer: Answer, row: PageRow, world: World, faults: Faults, *, own: Holdings) -> None:
    """Nothing of Acme's may stand in the answer, but for what stood in the request."""
    request = str(row.request(named=world.acme, own=own)) + world.cast.alice.tenant.slug
    told = sorted(mark for mark in world.marks if mark in answer.text and mark not in request)
    faults.add(person, when=bool(told), fault=f"was told {', '.join(told[:3])} of Acme's")


@pytest.mark.parametrize("row", PAGE_ROWS, ids=str)
def test_no_page_shows_what_is_anothers(row: PageRow, guards: Guards, guarded_world: World) -> None:
    faults = judge(row, guarded_world)
    if guards is not Guards.NONE:
        assert not faults.by_person, f"{row}\n{faults}"
    elif row.holds:
        assert "Charlie" not in faults.by_person, f"{row}: {row.holds}? It leaks:\n{faults}"
    else:
        assert "Charlie" in faults.by_person, f"{row} would not have caught a leak"
        assert faults.broke == bool(row.breaks), f"{row}: {row.breaks or 'leaks'}? Now it does otherwise:\n{faults}"


@pytest.mark.parametrize("row", [row for row in PAGE_ROWS if row.method == "POST"], ids=str)
def test_no_form_is_taken_from_another_site(row: PageRow, world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.alice.seat.member.user)
    before = state_of(world.acme.tenant)
    answer = ask(client, world.cast.alice.tenant.slug, row, named=world.acme, own=world.acme)
    assert answer.status == 403
    assert state_of(world.acme.tenant) == before
