"""The label book through the API."""

from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.uploading import post

UNUSABLE: list[tuple[dict[str, object], str]] = [
    ({}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a\x00"}, "name"),
    ({"name": "dent", "color": "red"}, "color"),
    ({"name": "dent", "color": "#12345g"}, "color"),
    ({"name": "dent", "definition": "x" * 10_001}, "definition"),
    ({"name": "dent", "rule": None}, "rule"),
]


def test_class_is_made_read_changed_and_listed(alice: Person, project: str) -> None:
    given = {"name": "dent", "definition": "a hollow", "rule": "deeper than 0.05 mm", "color": "#00FF7f"}
    made = post(alice, f"projects/{project}/classes", given)
    plain = post(alice, f"projects/{project}/classes", {"name": "pit"}).json()

    assert made.status_code == 201
    body = made.json()
    assert {name: body[name] for name in given} == given
    assert body["project"] == project
    assert (plain["definition"], plain["rule"], plain["color"]) == ("", "", "#0891b2")
    assert alice.api.get(f"/api/v1/classes/{body['id']}").json() == body
    assert alice.api.get(f"/api/v1/projects/{project}/classes").json()["results"] == [plain, body]

    path = f"/api/v1/classes/{body['id']}"
    changed = alice.api.patch(path, {"rule": "longer than 2 mm", "project": plain["id"]}, format="json")

    assert changed.json() == body | {"rule": "longer than 2 mm"}
    assert alice.api.get(path).json() == changed.json()


def test_unusable_class_is_refused(alice: Person, project: str) -> None:
    label = post(alice, f"projects/{project}/classes", {"name": "pit"}).json()["id"]
    for given, field in UNUSABLE:
        made = post(alice, f"projects/{project}/classes", given)
        assert (made.status_code, made.json()["code"]) == (400, "validation_failed"), given
        assert [error["field"] for error in made.json()["errors"]] == [field]
    assert alice.api.patch(f"/api/v1/classes/{label}", {"name": ""}, format="json").status_code == 400
    assert [found["name"] for found in alice.api.get(f"/api/v1/projects/{project}/classes").json()["results"]] == [
        "pit"
    ]


def test_name_is_unique_within_a_project_and_free_after_deletion(alice: Person, project: str) -> None:
    other = project_of(alice, "Lids")
    dent = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    pit = post(alice, f"projects/{project}/classes", {"name": "pit"}).json()["id"]

    again = post(alice, f"projects/{project}/classes", {"name": "dent"})
    renamed = alice.api.patch(f"/api/v1/classes/{pit}", {"name": "dent"}, format="json")

    assert [(taken.status_code, taken.json()["code"]) for taken in (again, renamed)] == [(409, "name_taken")] * 2
    assert alice.api.get(f"/api/v1/classes/{pit}").json()["name"] == "pit"
    assert post(alice, f"projects/{other}/classes", {"name": "dent"}).status_code == 201
    assert alice.api.delete(f"/api/v1/classes/{dent}").status_code == 204
    assert post(alice, f"projects/{project}/classes", {"name": "dent"}).status_code == 201


def test_deleted_class_is_gone_and_cannot_be_used(cast: Cast, project: str) -> None:
    alice = cast.alice
    dent = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    file = described(1, classes=["dent"])
    image = post(alice, f"projects/{project}/images/register", {"files": [file]}).json()["results"][0]["image"]

    alice.api.delete(f"/api/v1/classes/{dent}")

    refused = post(alice, f"projects/{project}/images/register", {"files": [described(2, classes=["dent"])]})
    assert refused.json()["results"][0]["error"]["code"] == "unknown_class"
    assert [
        alice.api.get(f"/api/v1/classes/{dent}").status_code,
        alice.api.delete(f"/api/v1/classes/{dent}").status_code,
        alice.api.get(f"/api/v1/projects/{project}/images?class={dent}").status_code,
        alice.api.patch(f"/api/v1/images/{image}", {"classes": [dent]}, format="json").status_code,
    ] == [404] * 4
    # What was labelled with it stays labelled.
    assert alice.api.get(f"/api/v1/images/{image}").json()["classes"] == [dent]


def test_each_change_leaves_one_audit_line(alice: Person, project: str) -> None:
    label = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    alice.api.patch(f"/api/v1/classes/{label}", {"rule": "2 mm"}, format="json")
    alice.api.patch(f"/api/v1/classes/{label}", {}, format="json")
    alice.api.delete(f"/api/v1/classes/{label}")

    events = alice.api.get("/api/v1/audit").json()["results"]
    lines = [(event["action"], event["target_id"]) for event in reversed(events) if event["target_id"] == label]
    assert lines == [("class.created", label), ("class.updated", label), ("class.deleted", label)]
