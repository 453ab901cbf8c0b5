"""Signing in: sessions, lock-out, limits, and where it leads."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from tenants.domain.members import remove_member
from tenants.domain.seats import seat_of, seats_of
from tenants.domain.sign_in import LOCKED, MAX_FAILURES, WrongCredentials, change_password, sign_in
from tenants.models import User
from tenants.refusals import Invalid, NotFound
from tenants.scope import tenant_scope
from tests.cast import PASSWORD, Cast

ALICE = "alice@acme.example"


class Unreadable:
    """A body that fails the test when it is read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")

    readline = read


UNREADABLE: dict[str, Any] = {"wsgi.input": Unreadable()}


def enter(client: Client, *, email: str = ALICE, password: str = PASSWORD, **more: str) -> int:
    return client.post("/sign-in", {"email": email, "password": password, **more}).status_code


def test_a_good_password_opens_a_session_and_leads_on(cast: Cast) -> None:
    client = Client()
    answer = client.post(
        "/sign-in", {"email": " Alice@Acme.example", "password": PASSWORD, "next": "/t/acme-casings/members"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/t/acme-casings/members")
    cookie = answer.cookies["myriad_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert client.get("/t/acme-casings/members").status_code == 200


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_leads_to_no_other_site(wanted: str, cast: Cast) -> None:
    answer = Client().post("/sign-in", {"email": ALICE, "password": PASSWORD, "next": wanted})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_unknown_address_wrong_password_and_locked_account_get_the_same_words(cast: Cast) -> None:
    def words(email: str, password: str) -> bytes:
        answer = Client().post("/sign-in", {"email": email, "password": password})
        assert answer.status_code == 401
        return answer.content.split(b'role="alert"')[1].split(b"</div>")[0]

    unknown, wrong = words("nobody@acme.example", PASSWORD), words(ALICE, "wrong")
    User.objects.filter(email=ALICE).update(locked_until="2999-01-01T00:00:00Z")
    assert unknown == wrong == words(ALICE, PASSWORD)


def test_an_account_rests_after_wrong_passwords_in_a_row_and_then_opens_again(cast: Cast) -> None:
    for _ in range(MAX_FAILURES):
        with pytest.raises(WrongCredentials):
            sign_in(email=ALICE, password="wrong")
    with pytest.raises(WrongCredentials):
        sign_in(email=ALICE, password=PASSWORD)
    resting = User.objects.get(email=ALICE)
    assert resting.locked_until is not None

    User.objects.filter(id=resting.id).update(locked_until=resting.locked_until - LOCKED - timedelta(seconds=1))
    assert sign_in(email=ALICE, password=PASSWORD).id == resting.id
    after = User.objects.get(email=ALICE)
    assert (after.failed_sign_ins, after.locked_until) == (0, None)


def test_a_good_password_ends_the_count(cast: Cast) -> None:
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            with pytest.raises(WrongCredentials):
                sign_in(email=ALICE, password="wrong")
        assert sign_in(email=ALICE, password=PASSWORD).email == ALICE


def test_a_client_address_may_try_so_often_only(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_ADDRESS = (0.01, 3)
    client = Client(REMOTE_ADDR="192.0.2.77")
    assert [enter(client, email="nobody@acme.example") for _ in range(4)] == [401, 401, 401, 429]
    answer = client.post("/sign-in", {"email": ALICE, "password": PASSWORD})
    assert int(answer["Retry-After"]) > 0
    assert enter(Client(REMOTE_ADDR="192.0.2.78")) == 302


def test_a_session_is_ended_by_signing_out_and_by_a_changed_password(cast: Cast) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        assert enter(client) == 302
    assert here.get("/sign-out").status_code == 405  # a link must not sign anybody out
    assert here.post("/account", {"old": "wrong", "new": "a longer new password"}).status_code == 400
    assert here.post("/account", {"old": PASSWORD, "new": "short"}).status_code == 400
    assert here.post("/account", {"old": PASSWORD, "new": "a longer new password"}).status_code == 302
    assert here.get("/tenants").status_code == 200
    assert elsewhere.get("/tenants").status_code == 302
    assert here.post("/sign-out").status_code == 302
    assert here.get("/tenants").status_code == 302
    assert not Session.objects.filter(session_key=here.session.session_key).exists()


def test_who_has_a_session_guesses_no_faster(cast: Cast) -> None:
    """The password is asked for again so that a session left open does not give the account away."""
    user = User.objects.get(email=ALICE)
    for _ in range(MAX_FAILURES):
        with pytest.raises(Invalid):
            change_password(user=user, old="wrong", new="a longer new password")
    with pytest.raises(Invalid):
        change_password(user=User.objects.get(email=ALICE), old=PASSWORD, new="a longer new password")


def test_a_body_is_refused_by_its_announced_length_before_it_is_read(cast: Cast) -> None:
    """Django's CSRF check would store any file first."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice.seat.member.user)
    for path, limit in (("/sign-in", 16 * 1024), (cast.alice.page("projects"), 1024 * 1024)):
        answer = client.generic("POST", path, b"", CONTENT_LENGTH=str(limit + 1), **UNREADABLE)
        assert answer.status_code == 413, path
    assert client.generic("POST", "/sign-in", b"x=1", content_type="text/plain").status_code == 403


def test_a_nul_opens_nothing(cast: Cast) -> None:
    assert enter(Client(), email="nobody\x00@acme.example") == 401


def test_a_weak_or_wrong_password_changes_nothing(cast: Cast) -> None:
    user = User.objects.get(email=ALICE)
    for old, new in (("wrong", "a longer new password"), (PASSWORD, "123456789012"), (PASSWORD, ALICE)):
        with pytest.raises(Invalid):
            change_password(user=user, old=old, new=new)
    assert User.objects.get(email=ALICE).check_password(PASSWORD)


def test_a_seat_is_of_one_tenant_and_ends_when_it_is_removed(cast: Cast) -> None:
    bob = cast.bob.seat
    assert seat_of(user_id=bob.user.id, slug=bob.tenant.slug).principal.member_id == bob.member.id
    for slug in (cast.charlie.tenant.slug, "no-such-tenant", ""):
        with pytest.raises(NotFound):
            seat_of(user_id=bob.user.id, slug=slug)
    client = cast.bob.web
    assert client.get(cast.bob.page("projects")).status_code == 200
    with tenant_scope(bob.tenant.id):
        remove_member(member_id=bob.member.id, by=cast.alice.principal)
    assert client.get(cast.bob.page("projects")).status_code == 404
    assert seats_of(user_id=bob.user.id) == []


def test_home_leads_to_the_only_tenant_and_lets_choose_between_several(cast: Cast) -> None:
    assert cast.alice.web.get("/")["Location"] == cast.alice.page("projects")
    host = cast.charlie
    with tenant_scope(host.tenant.id):
        from tenants.models import Member

        Member.objects.create(user=cast.alice.seat.user, role="VIEWER")
    assert cast.alice.web.get("/")["Location"] == "/tenants"
    shown = cast.alice.web.get("/tenants").content.decode()
    assert "Acme Casings" in shown
    assert "Bolt Works" in shown
    assert cast.alice.web.get(host.page("projects")).status_code == 200
    assert cast.alice.web.post(host.page("projects"), {"name": "x", "kind": "DETECTION"}).status_code == 403


def test_every_page_is_strict_about_what_it_loads_and_kept_by_no_cache(cast: Cast) -> None:
    for address in ("/sign-in", cast.alice.page("members"), cast.alice.page("nothing")):
        answer = cast.alice.web.get(address)
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer["X-Frame-Options"] == "DENY"
    assert cast.alice.web.get(cast.alice.page("members"))["Cache-Control"] == "no-store"
