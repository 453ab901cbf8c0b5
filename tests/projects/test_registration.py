"""Registering files: an answer for each, nothing twice, and repeating it resumes."""

from typing import Any

from projects.models import Image
from tenants import jobs
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.uploading import post, usage
from tests.projects.working import row


def register(person: Person, project: str, *files: Any) -> list[dict[str, Any]]:
    answer = post(person, f"projects/{project}/images/register", {"files": list(files)})
    assert answer.status_code == 200, answer.content
    lines: list[dict[str, Any]] = answer.json()["results"]
    assert [line["index"] for line in lines] == list(range(len(files)))
    return lines


def audited(person: Person, action: str) -> list[dict[str, Any]]:
    events = person.api.get("/api/v1/audit").json()["results"]
    return [event["detail"] for event in reversed(events) if event["action"] == action]


def test_each_item_gets_its_answer_in_order(alice: Person, project: str) -> None:
    dent = post(alice, f"projects/{project}/classes", {"name": "dent"}).json()["id"]
    whole = {"metadata": {"camera": "3", "part": "A7"}, "classes": ["dent", dent]}
    lines = register(
        alice,
        project,
        described(0, **whole),
        described(1, size=0),
        described(2, filename="\ud800\n.jpg"),
        described(3, classes=["dent", "scratch"]),
        described(4, sha256=described(0)["sha256"]),
        "five",
        described(6),
    )

    assert [line["status"] for line in lines] == ["AWAITING", *["REJECTED"] * 3, "AWAITING", "REJECTED", "AWAITING"]
    assert [line.get("error", {}).get("code") for line in lines] == [
        *(None, "empty_file", "bad_filename", "unknown_class"),
        *(None, "validation_failed", None),
    ]
    assert [line.get("duplicate") for line in lines] == [False, None, None, None, True, None, False]
    assert [line["filename"] for line in lines] == ["0.jpg", "1.jpg", "'\\ud800\\n.jpg'", "3.jpg", "4.jpg", "", "6.jpg"]
    assert all("image" not in line for line in lines if line["status"] == "REJECTED")
    assert lines[4]["image"] == lines[0]["image"]
    assert usage(alice) == {"images": 2, "bytes": 2000, "projects": 1}
    assert audited(alice, "images.registered") == [{"count": 2, "bytes": 2000}]

    shown = alice.api.get(f"/api/v1/images/{lines[0]['image']}").json()
    wanted = {"filename": "0.jpg", "status": "AWAITING", "size": 1000, "group": "A7", "classes": [dent], "error": None}
    assert {name: shown[name] for name in wanted} == wanted
    assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 2


def test_registering_again_finds_what_is_there(cast: Cast, project: str) -> None:
    alice = cast.alice
    first = register(alice, project, *(described(number) for number in range(3)))
    again = register(alice, project, *(described(number) for number in range(4)))
    elsewhere = register(alice, project_of(alice, "Lids"), described(0))
    theirs = register(cast.charlie, project_of(cast.charlie), described(0))

    assert [line["image"] for line in again[:3]] == [line["image"] for line in first]
    # Awaited still: the upload that was broken off is to go on.
    assert [(line["status"], line["duplicate"]) for line in again] == [("AWAITING", False)] * 4
    assert len({line[0]["image"] for line in (first, elsewhere, theirs)}) == 3
    assert usage(alice) == {"images": 5, "bytes": 5000, "projects": 2}
    assert audited(alice, "images.registered") == [
        *({"count": 3, "bytes": 3000}, {"count": 1, "bytes": 1000}),
        {"count": 1, "bytes": 1000},
    ]


def test_state_of_a_known_image_decides_whether_it_is_sent(alice: Person, project: str) -> None:
    """READY and under way: duplicates. FAILED, or left by a job that ended: AWAITING again, without its old error."""
    lines = register(alice, project, *(described(number) for number in range(5)))
    ready, busy, failed, left, _ = (line["image"] for line in lines)
    with tenant_scope(alice.tenant.id):
        under_way, canceled = (jobs.enqueue(kind="ingest", key=key, spec={"images": []})[0] for key in "ab")
        jobs.cancel(job_id=canceled.id)
        whole = {"stored_sha256": "a" * 64, "thumbnail_sha256": "b" * 64, "width": 4, "height": 3}
        Image.objects.filter(id=ready).update(status="READY", job=canceled, **whole)
        Image.objects.filter(id=busy).update(status="ARRIVED", job=under_way)
        error = {"code": "truncated", "message": "2.jpg is cut off", "hint": "Copy it again."}
        Image.objects.filter(id=failed).update(status="FAILED", job=canceled, error=error)
        Image.objects.filter(id=left).update(status="ARRIVED", job=canceled)

    again = register(alice, project, *(described(number) for number in range(5)))

    assert [(line["status"], line["duplicate"]) for line in again] == [
        *(("READY", True), ("ARRIVED", True)),
        *[("AWAITING", False)] * 3,
    ]
    assert [line["image"] for line in again] == [line["image"] for line in lines]
    for image in (failed, left):
        shown = alice.api.get(f"/api/v1/images/{image}").json()
        assert (shown["status"], shown["error"], shown["job"]) == ("AWAITING", None, None)
    assert row(alice, busy).job_id == under_way.id
    assert row(alice, busy).job.state == Job.State.PENDING
    assert usage(alice)["images"] == 5


def test_slip_in_the_description_can_be_corrected(alice: Person, project: str) -> None:
    """As long as the bytes have not come, what they are held against is what was said last."""
    image = register(alice, project, described(0, metadata={"camera": "3"}))[0]["image"]
    alice.api.patch(f"/api/v1/images/{image}", {"split": "TEST", "metadata": {"camera": "4"}}, format="json")
    with tenant_scope(alice.tenant.id):
        Image.objects.filter(id=image).update(multipart_id="of the other size")

    corrected = described(0, filename="zero.png", content_type="image/png", size=700, metadata={"camera": "9"})
    line = register(alice, project, corrected, described(0, filename="copy.jpg"))

    assert [(found["image"], found["status"], found["duplicate"]) for found in line] == [
        (image, "AWAITING", False),
        (image, "AWAITING", True),
    ]
    found = row(alice, image)
    assert (found.filename, found.content_type, found.size) == ("zero.png", "image/png", 700)
    assert found.multipart_id == ""
    # What can be changed otherwise is left alone: an old upload that goes on must not undo it.
    assert (found.metadata, found.split, found.split_pinned) == ({"camera": "4"}, "TEST", True)
    assert usage(alice) == {"images": 1, "bytes": 700, "projects": 1}

    alice.api.delete(f"/api/v1/images/{image}")
    assert usage(alice) == {"images": 0, "bytes": 0, "projects": 1}


def test_deleted_image_can_be_registered_anew(alice: Person, project: str) -> None:
    first = register(alice, project, described(0))[0]["image"]
    assert alice.api.delete(f"/api/v1/images/{first}").status_code == 204
    assert alice.api.delete(f"/api/v1/images/{first}").status_code == 404

    line = register(alice, project, described(0))[0]

    assert line["image"] != first
    assert (line["status"], line["duplicate"]) == ("AWAITING", False)
    assert usage(alice) == {"images": 1, "bytes": 1000, "projects": 1}
    assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 1


def test_batch_that_is_no_batch_is_refused_whole(alice: Person, project: str) -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    for path, most in (("images/register", 5000), ("uploads", 100)):
        bodies: list[Any] = [{}, [], {"files": []}, {"files": {}}, {"files": "a.jpg"}, {"files": [{}] * (most + 1)}]
        for body in bodies:
            answer = post(alice, f"projects/{project}/{path}", body)
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), (path, str(body)[:50])
        item = described(1, content_type=deep, metadata={"camera": deep}, classes=deep)
        assert post(alice, f"projects/{project}/{path}", {"files": [item]}).status_code in (200, 400)
        raw = f"/api/v1/projects/{project}/{path}"
        for text in (
            '{"files": [NaN]}',
            '{"files": [1e999',
            "[" * 100_000,
            '{"files": [{"size": ' + "9" * 5000 + "}]}",
        ):
            answer = alice.api.post(raw, text, content_type="application/json")
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), text[:30]
    assert alice.api.get(f"/api/v1/projects/{project}/images").json()["results"] == []


def test_labeler_registers_and_viewer_may_not(cast: Cast, project: str) -> None:
    refused = post(cast.vera, f"projects/{project}/images/register", {"files": [described(0)]})

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert register(cast.bob, project, described(0))[0]["status"] == "AWAITING"
