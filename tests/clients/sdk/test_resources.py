from datetime import UTC, datetime

import pytest

from myriad import Client, MyriadError, NotDone, NotFound, UnexpectedAnswer, ValidationFailed
from tests.clients.sdk.fake_service import FakeService


def test_list_goes_on_over_pages_with_its_filters(service: FakeService, client: Client, project: str) -> None:
    for number in range(7):
        service.tenant.add_image(project, f"{number}.jpg", metadata={"camera": 3})
    service.tenant.add_image(project, "other.jpg", metadata={"camera": 4})

    images = client.images.list(project, metadata={"camera": 3}, page_size=3)

    assert [image.filename for image in images] == [f"{number}.jpg" for number in range(7)]
    queries = [request.query for request in service.received]
    assert queries == [
        {"limit": ["3"], "meta.camera": ["3"]},
        {"limit": ["3"], "meta.camera": ["3"], "cursor": ["3"]},
        {"limit": ["3"], "meta.camera": ["3"], "cursor": ["6"]},
    ]


def test_list_asks_for_a_page_only_when_it_is_reached(service: FakeService, client: Client) -> None:
    for number in range(4):
        service.tenant.add_project(str(number))

    projects = client.projects.list(page_size=2)
    assert service.received == []
    first = projects.first()
    assert first is not None
    assert (first.name, len(service.received)) == ("0", 1)
    assert [project.name for project in projects] == ["0", "1", "2", "3"]
    assert len(service.received) == 3


def test_image_filters_are_sent_as_the_server_names_them(service: FakeService, client: Client, project: str) -> None:
    wanted = service.tenant.add_image(project, "a.jpg", status="FAILED", split="TEST", classes=["c1"], job="j1")
    service.tenant.add_image(project, "a.jpg", status="FAILED", split="TEST", classes=["c2"], job="j1")

    found = client.images.list(project, status="failed", split="test", class_id="c1", filename="a.jpg", job_id="j1")

    assert [image.id for image in found] == [wanted]
    assert service.received[0].query == {
        "limit": ["100"],
        "status": ["FAILED"],
        "split": ["TEST"],
        "class": ["c1"],
        "filename": ["a.jpg"],
        "job": ["j1"],
    }


def test_project_is_found_by_id_and_by_name(service: FakeService, client: Client, project: str) -> None:
    service.tenant.add_project("Casings 2")
    assert client.projects.find(project).name == "Casings"
    assert client.projects.find("Casings").id == project


def test_project_that_is_not_there_or_not_alone_is_said(service: FakeService, client: Client) -> None:
    with pytest.raises(NotFound) as missing:
        client.projects.find("Casings")
    assert missing.value.detail == "There is no project named 'Casings'."

    ids = [service.tenant.add_project("Casings"), service.tenant.add_project("Casings")]
    with pytest.raises(ValidationFailed) as ambiguous:
        client.projects.find("Casings")
    assert ambiguous.value.hint == f"Give the id: {ids[0]}, {ids[1]}."


def test_classes_are_made_and_listed(client: Client, project: str) -> None:
    made = client.classes.create(project, "scratch", definition="A line.", rule="Longer than 2 mm.")
    assert list(client.classes.list(project)) == [made]
    assert (made.name, made.definition, made.rule) == ("scratch", "A line.", "Longer than 2 mm.")


def test_key_is_made_with_scopes_and_end(service: FakeService, client: Client) -> None:
    ends = datetime(2027, 1, 1, tzinfo=UTC)

    made = client.keys.create("CI", scopes=["upload"], expires_at=ends)

    assert made.secret == "myr_newkey00_shown"
    sent = service.received[0].json
    assert sent == {"name": "CI", "scopes": ["upload"], "expires_at": "2027-01-01T00:00:00+00:00"}
    client.keys.revoke(made.id)
    assert list(client.keys.list()) == []


def test_secret_lost_with_the_connection_is_said(service: FakeService, client: Client) -> None:
    service.fail("POST", "/api/v1/keys", 201, {"id": "k1", "prefix": "abc"})
    with pytest.raises(MyriadError) as raised:
        client.keys.create("CI")
    assert raised.value.code == "secret_lost"
    assert raised.value.detail == "It was made, as k1, but its secret was lost with the connection."


def test_invitation_is_accepted_without_a_key(service: FakeService) -> None:
    with Client(service.url) as nobody:
        seat = nobody.invitations.accept("good-token", name="Bob", password="pw")
    assert (seat.tenant.name, seat.member.role, seat.api_key.secret) == (
        "Acme Casings",
        "LABELER",
        "myr_first000_shown",
    )
    assert "Authorization" not in service.received[0].headers


def test_invitation_is_accepted_without_showing_a_key_one_has(service: FakeService, client: Client) -> None:
    client.invitations.accept("good-token", name="Bob", password="pw")
    assert "Authorization" not in service.received[0].headers


def test_file_address_is_where_the_server_points(service: FakeService, client: Client, project: str) -> None:
    image = service.tenant.add_image(project, "a.jpg")
    assert client.images.file_url(image) == f"{service.url}/s3/files/{image}?X-Amz-Signature=sig-0"
    assert client.images.read(image) == b"photograph"


def test_jobs_are_waited_for_in_the_order_asked(service: FakeService, client: Client) -> None:
    jobs = [service.tenant.add_job() for _ in range(6)]
    seen: list[int] = []

    ended = client.jobs.wait(jobs, on_progress=lambda known: seen.append(len(known)))

    assert [job.id for job in ended] == jobs
    assert {job.state for job in ended} == {"SUCCEEDED"}
    assert seen == sorted(seen)
    assert seen[-1] == 6


def test_wait_that_takes_too_long_ends(service: FakeService, client: Client) -> None:
    service.tenant.looks_a_job = 10**9
    job = service.tenant.add_job()
    with pytest.raises(NotDone) as raised:
        client.jobs.wait([job], timeout=0)
    assert raised.value.hint == f"It goes on; see `myriad job watch {job}`."


def test_who_one_is(client: Client) -> None:
    me = client.tenant.me()
    assert me.member is not None
    assert me.key is not None
    assert (me.tenant.slug, me.member.role, me.key.scopes) == ("acme", "OWNER", ("read", "upload"))
    assert me.usage["images_limit"] == 1000


def test_what_is_given_is_changed_and_the_rest_left_alone(service: FakeService, client: Client) -> None:
    changed = {
        "/api/v1/projects/p1": {"id": "p1", "name": "New", "kind": "ANOMALY"},
        "/api/v1/classes/c1": {"id": "c1", "name": "dent"},
        "/api/v1/images/i1": {"id": "i1", "filename": "a.jpg", "status": "READY"},
        "/api/v1/members/m1": {"id": "m1", "email": "bob@acme.example", "role": "ADMIN"},
    }
    for path, document in changed.items():
        service.fail("PATCH", path, 200, document)

    client.projects.update("p1", name="New")
    client.classes.update("c1", rule="Longer than 2 mm.")
    client.images.update("i1", split="TEST", metadata={"camera": 3})
    client.members.update("m1", role="admin")

    assert [(request.path, request.json) for request in service.received] == [
        ("/api/v1/projects/p1", {"name": "New"}),
        ("/api/v1/classes/c1", {"rule": "Longer than 2 mm."}),
        ("/api/v1/images/i1", {"split": "TEST", "metadata": {"camera": 3}}),
        ("/api/v1/members/m1", {"role": "ADMIN"}),
    ]


def test_things_are_deleted(service: FakeService, client: Client) -> None:
    paths = [f"/api/v1/{what}/x" for what in ("projects", "classes", "images", "members", "invitations")]
    for path in paths:
        service.fail("DELETE", path, 204)

    client.projects.delete("x")
    client.classes.delete("x")
    client.images.delete("x")
    client.members.remove("x")
    client.invitations.revoke("x")

    assert [request.path for request in service.received] == paths


def test_invitation_token_is_given_once_and_not_shown(service: FakeService, client: Client) -> None:
    made = {"id": "n1", "email": "bob@acme.example", "role": "LABELER", "token": "inv_canary"}
    service.fail("POST", "/api/v1/invitations", 201, made)

    invitation = client.invitations.create("bob@acme.example", role="labeler")

    assert service.received[0].json == {"email": "bob@acme.example", "role": "LABELER"}
    assert invitation.token == "inv_canary"
    assert "canary" not in repr(invitation)


def test_audit_trail_is_read(service: FakeService, client: Client) -> None:
    line: dict[str, object] = {
        "id": "e1",
        "at": "2026-03-01T08:00:00Z",
        "action": "key.revoked",
        "actor_kind": "MEMBER",
    }
    line |= {"actor_id": "m1", "target_id": "k1", "detail": {"name": "CI"}}
    service.fail("GET", "/api/v1/audit", 200, {"next": None, "results": [line]})
    (event,) = client.tenant.audit()
    assert (event.action, event.actor_id, event.target_id, event.detail) == ("key.revoked", "m1", "k1", {"name": "CI"})


def test_images_are_registered_without_bytes(service: FakeService, client: Client, project: str) -> None:
    results = [{"index": 0, "filename": "a.jpg", "status": "AWAITING", "image": "i1", "duplicate": False}]
    service.fail("POST", f"/api/v1/projects/{project}/images/register", 200, {"results": results})
    files = [{"filename": "a.jpg", "size": 1, "sha256": "0" * 64, "content_type": "image/jpeg"}]

    assert client.images.register(project, files) == tuple(results)
    assert service.received[0].json == {"files": files}


def test_job_is_canceled(service: FakeService, client: Client) -> None:
    service.fail("POST", "/api/v1/jobs/j1/cancel", 200, {"id": "j1", "kind": "ingest", "state": "CANCELED"})
    assert client.jobs.cancel("j1").is_final


@pytest.mark.parametrize("document", [[], {"items": []}, {"results": {}}, "x"])
def test_answer_that_is_no_list_is_said(service: FakeService, client: Client, document: object) -> None:
    service.fail("GET", "/api/v1/projects", 200, document)
    with pytest.raises(UnexpectedAnswer) as raised:
        client.projects.list().first()
    assert raised.value.detail == "The server's answer is not a list."
