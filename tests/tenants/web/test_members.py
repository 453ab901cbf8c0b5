"""Pages of members, invitations, keys and the audit log."""

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tenants import audit
from tenants.domain.sign_in import sign_in
from tenants.models import ApiKey, Invitation, Member
from tenants.scope import tenant_scope
from tenants.web import keys, members
from tests.cast import PASSWORD, Cast

# A password is taken as it is typed.
SPACED = f" {PASSWORD} "


def text_of(answer: Any) -> str:
    return answer.content.decode()  # type: ignore[no-any-return]  # Django's own


def test_an_invitation_is_a_link_that_is_shown_once_and_gives_the_seat(cast: Cast) -> None:
    page = cast.alice.page("members")
    answer = cast.alice.web.post(page, {"email": "dora@acme.example", "role": "ENGINEER"})
    found = re.search(r"/accept-invitation#(inv_\w+)", text_of(answer))
    assert found
    assert "inv_" not in text_of(cast.alice.web.get(page))

    dora = Client()
    for name in ("", " ", "D" * 201, "Do\x00ra"):
        refused = dora.post("/accept-invitation", {"token": found[1], "name": name, "password": SPACED})
        assert (refused.status_code, found[1] in refused.content.decode()) == (400, True), name
    taken = dora.post("/accept-invitation", {"token": found[1], "name": "Dora", "password": SPACED})
    assert taken["Location"] == cast.alice.page("projects")
    assert "Dora" in text_of(dora.get(page))
    with tenant_scope(cast.alice.tenant.id):
        assert not ApiKey.objects.filter(member__user__email="dora@acme.example").exists()
    again = Client().post("/accept-invitation", {"token": found[1], "name": "Eve", "password": PASSWORD})
    assert again.status_code == 400
    assert "already used" in text_of(again)
    assert sign_in(email="dora@acme.example", password=SPACED).name == "Dora"


def test_a_refused_form_says_why_and_keeps_what_was_typed(cast: Cast) -> None:
    answer = cast.alice.web.post(cast.alice.page("members"), {"email": "not an address", "role": "ENGINEER"})
    assert answer.status_code == 400
    assert 'value="not an address"' in text_of(answer)
    with tenant_scope(cast.alice.tenant.id):
        assert not Invitation.objects.filter(email="not an address").exists()


def test_roles_change_seats_go_and_the_last_owner_stays(cast: Cast) -> None:
    bob, alice = cast.bob.seat.member, cast.alice.seat.member
    change = cast.alice.page(f"members/{bob.id}")
    assert cast.alice.web.post(change, {"role": "VIEWER"}).status_code == 302
    with tenant_scope(cast.alice.tenant.id):
        assert Member.objects.get(id=bob.id).role == "VIEWER"
    assert cast.alice.web.post(change, {"do": "remove"}).status_code == 302
    with tenant_scope(cast.alice.tenant.id):
        assert Member.objects.get(id=bob.id).removed_at
    rita = cast.revoked.seat.member
    assert cast.alice.web.post(cast.alice.page(f"members/{rita.id}"), {"do": "remove"}).status_code == 302
    refused = cast.alice.web.post(cast.alice.page(f"members/{alice.id}"), {"role": "VIEWER"})
    assert refused.status_code == 409
    assert "at least one owner" in text_of(refused)


def test_an_invitation_is_taken_back(cast: Cast) -> None:
    cast.alice.web.post(cast.alice.page("members"), {"email": "dora@acme.example", "role": "VIEWER"})
    with tenant_scope(cast.alice.tenant.id):
        invitation = Invitation.objects.get(email="dora@acme.example")
    assert "dora@acme.example" in text_of(cast.alice.web.get(cast.alice.page("members")))
    assert cast.alice.web.post(cast.alice.page(f"invitations/{invitation.id}")).status_code == 302
    assert "dora@acme.example" not in text_of(cast.alice.web.get(cast.alice.page("members")))


def test_a_key_is_shown_once_works_and_is_revoked(cast: Cast) -> None:
    page = cast.alice.page("keys")
    answer = cast.alice.web.post(page, {"name": "Line 2", "days": "30", "scopes": ["read", "upload"]})
    found = re.search(r"myr_\w+_\w{20,}", text_of(answer))
    assert found
    assert found[0] not in text_of(cast.alice.web.get(page))
    header = {"HTTP_AUTHORIZATION": f"Bearer {found[0]}"}
    assert Client().get("/api/v1/me", **header).json()["key"]["scopes"] == ["read", "upload"]
    with tenant_scope(cast.alice.tenant.id):
        key = ApiKey.objects.get(name="Line 2")
    assert cast.alice.web.post(cast.alice.page(f"keys/{key.id}")).status_code == 302
    assert Client().get("/api/v1/me", **header).status_code == 401


@pytest.mark.parametrize(
    "form", [{"name": "", "days": "30"}, {"name": "x", "days": "9"}, {"name": "x", "days": "30", "scopes": "fly"}]
)
def test_a_key_that_cannot_be_is_refused(form: dict[str, str], cast: Cast) -> None:
    assert cast.alice.web.post(cast.alice.page("keys"), form).status_code == 400


def test_the_audit_log_names_who_did_what(cast: Cast) -> None:
    cast.alice.web.post(cast.alice.page("keys"), {"name": "Line 2", "days": ""})
    cast.alice.api.post("/api/v1/projects", {"name": "Lids", "kind": "DETECTION"}, format="json")
    shown = text_of(cast.alice.web.get(cast.alice.page("audit")))
    assert "key.created" in shown
    assert "project.created" in shown
    assert "First key" in shown  # by which the project was made
    only = text_of(cast.alice.web.get(cast.alice.page("audit?about=project")))
    assert "project.created" in only
    assert "key.created" not in only
    assert cast.alice.web.get(cast.alice.page("audit?about=nonsense")).status_code == 400


def test_a_long_audit_log_is_paged(cast: Cast, django_assert_num_queries: Any) -> None:
    with tenant_scope(cast.alice.tenant.id):
        for number in range(120):
            audit.record("project.updated", by=cast.alice.principal, number=number)
    first = text_of(cast.alice.web.get(cast.alice.page("audit?about=project")))
    older = re.search(r'href="(\?[^"]*cursor=[^"]*)"', first)
    assert older
    second = text_of(cast.alice.web.get(cast.alice.page("audit") + older[1].replace("&amp;", "&")))
    numbers = [int(found) for found in re.findall(r'number</span> <span class="break-all">(\d+)', first + second)]
    assert numbers == list(range(119, 19, -1))
    client = cast.alice.web
    with django_assert_num_queries(10):
        client.get(cast.alice.page("audit"))


@pytest.mark.parametrize("page", ["members", "keys"])
def test_queries_do_not_grow_with_rows(page: str, cast: Cast, django_assert_max_num_queries: Any) -> None:
    client = cast.alice.web
    with django_assert_max_num_queries(12) as shown:
        client.get(cast.alice.page(page))
    few = len(shown)
    for number in range(3):
        cast.alice.web.post(cast.alice.page("keys"), {"name": f"Line {number}", "days": ""})
        cast.alice.web.post(cast.alice.page("members"), {"email": f"n{number}@acme.example", "role": "VIEWER"})
    with django_assert_max_num_queries(12) as shown:
        client.get(cast.alice.page(page))
        assert len(shown) == few


def test_a_refused_key_form_keeps_the_chosen_scopes(cast: Cast) -> None:
    """None chosen means all that the role allows: a form that forgot them would make a key that may do everything."""
    page = cast.alice.page("keys")
    for name in (" ", "k" * 101, "k\x00"):
        shown = cast.alice.web.post(page, {"name": name, "days": "30", "scopes": ["read", "label"]})
        assert shown.status_code == 400
        assert re.findall(r'value="(\w+)" checked', shown.content.decode()) == ["read", "label"]
    made = cast.alice.web.post(page, {"name": "Line 2", "days": "30", "scopes": ["read"]})
    assert " checked" not in made.content.decode()
    unknown = cast.alice.web.post(page, {"name": "Line 3", "days": "30", "scopes": ["read", "fly"]})
    assert unknown.status_code == 400
    assert 'Scopes: "fly" is not a valid choice.' in html.unescape(unknown.content.decode())


def test_revoked_keys_do_not_push_others_off_the_list(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "A_PAGE", 2)
    page = cast.alice.page("keys")
    for number in range(5):
        cast.alice.web.post(page, {"name": f"Line {number}", "days": ""})
    with tenant_scope(cast.alice.tenant.id):
        ApiKey.objects.filter(name__in=["Line 3", "Line 4"]).update(revoked_at=timezone.now())
    first = text_of(cast.alice.web.get(page))
    older = re.search(r'rel="next" href="(\?[^"]*)"', first)
    assert older
    second = text_of(cast.alice.web.get(page + older[1]))
    assert re.findall(r">(Line \d)<", first + second) == ["Line 2", "Line 1", "Line 0"]
    assert re.findall(r">(Line \d)<", text_of(cast.alice.web.get(page + "?revoked=1"))) == ["Line 4", "Line 3"]


def test_members_are_paged_newest_first(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "A_PAGE", 2)
    with tenant_scope(cast.alice.tenant.id):
        rows = Member.objects.filter(removed_at=None).select_related("user").order_by("-id")
        everybody = [row.user.email for row in rows]
    assert len(everybody) > 2
    address, shown = cast.alice.page("members"), []
    while address:
        page = text_of(cast.alice.web.get(address))
        shown.append(re.findall(r'class="quiet text-sm">([^<@]+@[^<]+)<', page))
        older = re.search(r'rel="next" href="(\?[^"]*)"', page)
        address = cast.alice.page("members") + older[1] if older else ""
    assert [len(emails) for emails in shown[:-1]] == [2] * (len(shown) - 1)
    assert [email for emails in shown for email in emails] == everybody


@pytest.mark.parametrize("role", ["", "KING", "owner", "VIEWER\x00"])
def test_a_role_that_is_none_is_refused(role: str, cast: Cast) -> None:
    bob = cast.bob.seat.member
    assert cast.alice.web.post(cast.alice.page(f"members/{bob.id}"), {"role": role}).status_code == 400
    form = {"email": "dora@acme.example", "role": role}
    assert cast.alice.web.post(cast.alice.page("members"), form).status_code == 400


def test_a_script_whose_session_ended_has_the_page_loaded_anew(cast: Cast) -> None:
    """Or the sign-in would be put into the middle of the page."""
    answer = Client().get(cast.alice.page("members"), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"], answer.content) == (200, "true", b"")
