"""Projects through the API: made, read, changed, hidden with all that is below them."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from projects.domain.projects import delete_project
from tenants.domain.quotas import lock_quota
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.uploading import post, usage

MISSING = "00000000-0000-7000-8000-000000000000"


def test_project_is_made_read_and_listed(alice: Person) -> None:
    made = post(alice, "projects", {"name": "Casings", "kind": "ANOMALY", "description": "back side"})
    listed = alice.api.get("/api/v1/projects").json()

    assert made.status_code == 201
    body = made.json()
    assert set(body) == {"id", "name", "kind", "description", "image_count", "labelled_count", "created_at"}
    assert (body["name"], body["kind"], body["description"]) == ("Casings", "ANOMALY", "back side")
    assert body["image_count"] == 0
    assert alice.api.get(f"/api/v1/projects/{body['id']}").json() == body
    assert listed == {"next": None, "previous": None, "results": [body]}


UNUSABLE: list[tuple[dict[str, object], str]] = [
    ({"kind": "DETECTION"}, "name"),
    ({"name": "", "kind": "DETECTION"}, "name"),
    ({"name": "x" * 201, "kind": "DETECTION"}, "name"),
    ({"name": "a\x00b", "kind": "DETECTION"}, "name"),
    ({"name": "a\ud800b", "kind": "DETECTION"}, "name"),
    ({"name": ["a"], "kind": "DETECTION"}, "name"),
    ({"name": "a", "kind": "detection"}, "kind"),
    ({"name": "a", "kind": ["\ud800"]}, "kind"),
    ({"name": "a"}, "kind"),
    ({"name": "a", "kind": "DETECTION", "description": "x" * 10_001}, "description"),
]


def test_unusable_project_is_refused(alice: Person) -> None:
    for given, field in UNUSABLE:
        answer = post(alice, "projects", given)

        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), given
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert alice.api.get("/api/v1/projects").json()["results"] == []


def test_name_is_unique_within_a_tenant_only(cast: Cast, project: str) -> None:
    again = post(cast.alice, "projects", {"name": "Casings", "kind": "DETECTION"})
    elsewhere = post(cast.charlie, "projects", {"name": "Casings", "kind": "DETECTION"})

    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert "'Casings'" in again.json()["detail"]
    assert elsewhere.status_code == 201
    assert cast.alice.api.get("/api/v1/me").json()["usage"]["projects_used"] == 1


def test_renaming_to_a_taken_name_is_refused_and_changes_nothing(alice: Person, project: str) -> None:
    other = project_of(alice, "Lids")

    refused = alice.api.patch(f"/api/v1/projects/{other}", {"name": "Casings", "description": "x"}, format="json")

    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    kept = alice.api.get(f"/api/v1/projects/{other}").json()
    assert (kept["name"], kept["description"]) == ("Lids", "")


def test_change_touches_what_is_given_and_nothing_else(alice: Person, project: str) -> None:
    body = {"description": "front", "kind": "ANOMALY", "image_count": 7, "id": MISSING}

    answer = alice.api.patch(f"/api/v1/projects/{project}", body, format="json")

    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["name"], shown["kind"]) == (project, "Casings", "DETECTION")
    assert (shown["description"], shown["image_count"]) == ("front", 0)
    assert alice.api.get(f"/api/v1/projects/{project}").json() == shown


def test_quota_of_projects_is_kept(alice: Person, limit: Callable[..., None]) -> None:
    limit(projects_limit=1)
    first = post(alice, "projects", {"name": "Casings", "kind": "DETECTION"})
    second = post(alice, "projects", {"name": "Lids", "kind": "DETECTION"})

    assert (second.status_code, second.json()["code"]) == (403, "quota_exceeded")
    assert second.json()["hint"]
    assert len(alice.api.get("/api/v1/projects").json()["results"]) == 1

    alice.api.delete(f"/api/v1/projects/{first.json()['id']}")
    assert post(alice, "projects", {"name": "Lids", "kind": "DETECTION"}).status_code == 201


def test_deleting_hides_everything_below_and_gives_the_quota_back(alice: Person, project: str) -> None:
    label = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    registered = post(
        alice, f"projects/{project}/images/register", {"files": [described(n, classes=["dent"]) for n in range(3)]}
    ).json()["results"]
    image = registered[0]["image"]
    paths = [f"projects/{project}", f"projects/{project}/classes", f"projects/{project}/images"]
    paths += [f"classes/{label}", f"images/{image}", f"images/{image}/file", f"images/{image}/thumbnail"]
    assert [alice.api.get(f"/api/v1/{path}").status_code for path in paths] == [200] * 5 + [409] * 2
    assert usage(alice) == {"images": 3, "bytes": 3000, "projects": 1}

    gone = alice.api.delete(f"/api/v1/projects/{project}")

    missing = alice.api.get(f"/api/v1/projects/{MISSING}")
    answers = [alice.api.get(f"/api/v1/{path}") for path in paths]
    assert (gone.status_code, gone.content) == (204, b"")
    assert [(answer.status_code, answer.content) for answer in answers] == [(404, missing.content)] * len(paths)
    assert alice.api.get("/api/v1/projects").json()["results"] == []
    assert usage(alice) == {"images": 0, "bytes": 0, "projects": 0}
    assert alice.api.delete(f"/api/v1/projects/{project}").status_code == 404
    assert usage(alice) == {"images": 0, "bytes": 0, "projects": 0}


def test_writes_below_a_deleted_project_find_nothing(alice: Person, project: str) -> None:
    image = post(alice, f"projects/{project}/images/register", {"files": [described(1)]}).json()["results"][0]["image"]
    label = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    alice.api.delete(f"/api/v1/projects/{project}")

    answers = [
        post(alice, f"projects/{project}/classes", {"name": "pit"}),
        post(alice, f"projects/{project}/images/register", {"files": [described(2)]}),
        post(alice, f"projects/{project}/uploads", {"files": [described(2)]}),
        post(alice, f"projects/{project}/uploads/complete", {"images": [image]}),
        alice.api.patch(f"/api/v1/projects/{project}", {"name": "x"}, format="json"),
        alice.api.patch(f"/api/v1/classes/{label}", {"name": "x"}, format="json"),
        alice.api.delete(f"/api/v1/classes/{label}"),
        alice.api.patch(f"/api/v1/images/{image}", {"split": "TEST"}, format="json"),
        alice.api.delete(f"/api/v1/images/{image}"),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert alice.api.get("/api/v1/me").json()["usage"]["images_used"] == 0


def test_name_of_a_deleted_project_is_free(alice: Person, project: str) -> None:
    alice.api.delete(f"/api/v1/projects/{project}")

    assert post(alice, "projects", {"name": "Casings", "kind": "DETECTION"}).status_code == 201


def test_each_change_leaves_one_audit_line(alice: Person) -> None:
    project = post(alice, "projects", {"name": "Casings", "kind": "DETECTION"}).json()["id"]
    alice.api.patch(f"/api/v1/projects/{project}", {"name": "Cases"}, format="json")
    alice.api.patch(f"/api/v1/projects/{project}", {}, format="json")
    post(alice, "projects", {"name": "Cases", "kind": "DETECTION"})
    alice.api.delete(f"/api/v1/projects/{project}")

    events = alice.api.get("/api/v1/audit").json()["results"]
    lines = [event for event in reversed(events) if event["action"].startswith("project.")]
    assert [(line["action"], line["target_id"]) for line in lines] == [
        ("project.created", project),
        ("project.updated", project),
        ("project.deleted", project),
    ]
    assert {line["actor_id"] for line in lines} == {str(alice.seat.key.id)}


def test_project_that_is_being_deleted_takes_no_more_images(alice: Person, project: str) -> None:
    """The registration that waited for the deletion's locks finds the project gone, and counts nothing."""

    def register() -> int:
        try:
            return int(post(alice, f"projects/{project}/images/register", {"files": [described(1)]}).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with tenant_scope(alice.tenant.id):
            lock_quota()
            waiting = pool.submit(register)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            delete_project(project_id=uuid.UUID(project), by=alice.principal)
        assert waiting.result(timeout=10) == 404

    assert alice.api.get("/api/v1/me").json()["usage"]["images_used"] == 0
