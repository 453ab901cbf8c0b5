"""One image: read, changed, deleted."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from projects.domain.images import update_image
from projects.domain.splits import split_of
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.uploading import post, usage

MISSING = "00000000-0000-7000-8000-000000000000"


def registered(alice: Person, project: str, **said: object) -> str:
    """One image of this description."""
    answer = post(alice, f"projects/{project}/images/register", {"files": [described(0, **said)]})
    return str(answer.json()["results"][0]["image"])


def change(alice: Person, image: str, **changes: object) -> dict[str, Any]:
    """The image as the answer to a change shows it, and as it is read then."""
    answer = alice.api.patch(f"/api/v1/images/{image}", changes, format="json")
    assert answer.status_code == 200, answer.content
    shown: dict[str, Any] = answer.json()
    assert shown == alice.api.get(f"/api/v1/images/{image}").json()
    return shown


def test_change_touches_what_is_given_and_nothing_else(alice: Person, project: str) -> None:
    dent = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    pit = post(alice, f"projects/{project}/classes", {"name": "pit"}).json()["id"]
    image = registered(alice, project, metadata={"camera": "3"}, classes=["dent"])
    before = alice.api.get(f"/api/v1/images/{image}").json()
    others = {"id": MISSING, "status": "READY", "sha256": "0" * 64, "group": "x", "project": MISSING, "size": 1}

    assert change(alice, image, **others) == before
    assert change(alice, image) == before
    pinned = before | {"split": "TEST", "split_pinned": True}
    assert change(alice, image, split="TEST", status="READY") == pinned
    assert change(alice, image, metadata={"lot": 5}) == pinned | {"metadata": {"lot": 5}}
    assert change(alice, image, metadata={}) == pinned | {"metadata": {}}
    assert change(alice, image, classes=[pit, dent, pit])["classes"] == [pit, dent]
    assert change(alice, image, classes=[]) == pinned | {"metadata": {}, "classes": []}

    events = alice.api.get("/api/v1/audit").json()["results"]
    assert [event["target_id"] for event in events if event["action"] == "image.updated"] == [image] * 5


def test_unusable_change_is_refused_and_changes_nothing(alice: Person, project: str) -> None:
    image = registered(alice, project, metadata={"camera": "3"})
    before = alice.api.get(f"/api/v1/images/{image}").json()
    deep: Any = "3"
    for _ in range(500):
        deep = {"a": deep}
    unusable: list[tuple[dict[str, object], str]] = [
        ({"metadata": {"camera": {}}}, "metadata"),
        ({"metadata": {"camera": deep}}, "metadata"),
        ({"metadata": {"camera": "\x00"}}, "metadata"),
        ({"metadata": {"note": "x" * 8192}}, "metadata"),
        ({"metadata": ["camera"]}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"split": "EVAL"}, "split"),
        ({"split": None}, "split"),
        ({"classes": ["dent"]}, "classes[0]"),
        ({"classes": [MISSING] * 51}, "classes"),
        ({"split": "TEST", "metadata": {"camera": []}}, "metadata"),
    ]
    for changes, field in unusable:
        answer = alice.api.patch(f"/api/v1/images/{image}", changes, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), str(changes)[:60]
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert alice.api.get(f"/api/v1/images/{image}").json() == before


def test_class_of_another_project_or_tenant_is_not_found(cast: Cast, project: str) -> None:
    alice = cast.alice
    image = registered(alice, project)
    own = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    other = post(alice, f"projects/{project_of(alice, 'Lids')}/classes", {"name": "dent"}).json()["id"]
    foreign = post(cast.charlie, f"projects/{project_of(cast.charlie)}/classes", {"name": "dent"}).json()["id"]
    change(alice, image, classes=[own])

    answers = [
        alice.api.patch(f"/api/v1/images/{image}", {"classes": [own, class_id], "split": "TEST"}, format="json")
        for class_id in (other, foreign, MISSING)
    ]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.content for answer in answers}) == 1
    shown = alice.api.get(f"/api/v1/images/{image}").json()
    assert (shown["classes"], shown["split_pinned"]) == ([own], False)


@pytest.mark.parametrize("pinned", [False, True])
def test_metadata_that_names_another_group_moves_the_image(alice: Person, project: str, pinned: bool) -> None:
    def fallen(group: str) -> str:
        return split_of(project_id=uuid.UUID(project), group=group, sha256=described(0)["sha256"])

    home = fallen("A0")
    away = next(part for part in (f"A{number}" for number in range(1, 100)) if fallen(part) != home)
    image = registered(alice, project, metadata={"part": "A0"}, **({"split": home} if pinned else {}))

    moved = change(alice, image, metadata={"part": away, "camera": "3"})
    alone = change(alice, image, metadata={"camera": "3"})

    assert (moved["group"], moved["split"]) == (away, home if pinned else fallen(away))
    assert (alone["group"], alone["split"]) == ("", home if pinned else fallen(""))


def test_group_given_by_name_stays_whatever_metadata_says(alice: Person, project: str) -> None:
    image = registered(alice, project, group="tray", metadata={"part": "A0"})
    before = alice.api.get(f"/api/v1/images/{image}").json()

    changed = change(alice, image, metadata={"part": "A1"})

    assert (changed["group"], changed["split"]) == ("tray", before["split"])


def test_two_changes_at_once_both_hold(alice: Person, project: str) -> None:
    """The one that began first has read the image before the other writes; it must not write that back."""
    image = registered(alice, project)

    def pin() -> int:
        try:
            answer = alice.api.patch(f"/api/v1/images/{image}", {"split": "TEST"}, format="json")
            return int(answer.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with tenant_scope(alice.tenant.id):
            update_image(image_id=uuid.UUID(image), metadata={"camera": "3"}, by=alice.principal)
            waiting = pool.submit(pin)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=10) == 200

    shown = alice.api.get(f"/api/v1/images/{image}").json()
    assert (shown["metadata"], shown["split"], shown["split_pinned"]) == ({"camera": "3"}, "TEST", True)


def test_deleting_hides_the_image_once_and_leaves_a_line(alice: Person, project: str) -> None:
    image = registered(alice, project)

    answers = [alice.api.delete(f"/api/v1/images/{image}") for _ in range(2)]
    missing = alice.api.get(f"/api/v1/images/{MISSING}")

    assert [answer.status_code for answer in answers] == [204, 404]
    for path in (f"images/{image}", f"images/{image}/file", f"images/{image}/thumbnail"):
        assert alice.api.get(f"/api/v1/{path}").content == missing.content
    assert alice.api.get(f"/api/v1/projects/{project}/images").json()["results"] == []
    assert usage(alice) == {"images": 0, "bytes": 0, "projects": 1}
    lines = [event for event in alice.api.get("/api/v1/audit").json()["results"] if event["action"] == "image.deleted"]
    assert [(line["target_id"], line["detail"]) for line in lines] == [(image, {"filename": "0.jpg"})]


def test_viewer_reads_and_labeler_does_not_delete(cast: Cast, project: str) -> None:
    image = registered(cast.alice, project)

    assert cast.vera.api.get(f"/api/v1/images/{image}").status_code == 200
    answers = [person.api.delete(f"/api/v1/images/{image}") for person in (cast.vera, cast.bob)]
    answers.append(cast.vera.api.patch(f"/api/v1/images/{image}", {"split": "TEST"}, format="json"))

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "permission_denied")] * 3
