"""Files that go to S3 by a signed form: taken as they were announced, or not at all."""

import base64
import hashlib
import json
import uuid
from typing import Any

from tenants.models import IdempotencyRecord
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import File, described, photograph, photographs
from tests.projects.uploading import ask, bring, complete, post, send, statuses
from tests.projects.working import jobs_of, row

MISSING = "00000000-0000-7000-8000-000000000000"


def test_announced_file_is_taken_and_its_ingest_asked_for(alice: Person, project: str, storage: TenantStorage) -> None:
    file = photograph()
    line = ask(alice, project, file)[0]
    image, upload = line["image"], line["upload"]

    assert (line["status"], line["duplicate"], upload["method"]) == ("AWAITING", False, "POST")
    assert upload["fields"]["key"] == f"t/{alice.tenant.id}/incoming/{image}"
    assert upload["expires_at"]
    assert send(upload, file.data).status_code == 204
    answer = complete(alice, project, image)

    (job,) = jobs_of(alice)
    assert answer.status_code == 202
    assert answer.json() == {
        "results": [{"image": image, "status": "ARRIVED", "error": None}],
        "jobs": [str(job.id)],
    }
    assert answer.headers["Location"] == f"/api/v1/jobs/{job.id}"
    assert (job.kind, job.state, job.spec) == ("ingest", "PENDING", {"project": project, "images": [image]})
    assert row(alice, image).status == "ARRIVED"
    assert storage.sizes("incoming", names=[image]) == {image: len(file.data)}


def test_what_was_not_announced_is_refused_by_s3_and_stays_missing(alice: Person, project: str) -> None:
    """Each of these would smuggle in other bytes than were checked, counted or signed for."""
    file, other = photograph("announced"), photograph("other")
    swapped = file.data[:-1] + bytes([file.data[-1] ^ 1])
    line = ask(alice, project, file)[0]
    upload, image = line["upload"], line["image"]
    fields = upload["fields"]
    elsewhere = f"t/{alice.tenant.id}/incoming/{uuid.uuid4()}"

    refused = {
        "longer": send(upload, file.data + b"\0"),
        "shorter": send(upload, file.data[:-1]),
        "empty": send(upload, b""),
        "other bytes of the same size": send(upload, swapped),
        "other file": send(upload, other.data),
        "other type": send(upload, file.data, Content_Type="text/html"),
        "other hash": send(upload, swapped, x_amz_checksum_sha256=_checksum(swapped)),
        "other key": send(upload, file.data, key=elsewhere),
        "published folder": send(upload, file.data, key=f"t/{alice.tenant.id}/images/{file.sha256}"),
        "other tenant": send(upload, file.data, key=fields["key"].replace(str(alice.tenant.id), str(uuid.uuid4()))),
        "other policy": send(upload, file.data, policy=fields["policy"][:-4] + "AAAA"),
    }

    assert {name: answer.status_code // 100 for name, answer in refused.items()} == dict.fromkeys(refused, 4)
    answer = complete(alice, project, image)
    assert (answer.status_code, statuses(answer), answer.json()["jobs"]) == (200, ["MISSING"], [])
    assert jobs_of(alice) == []
    assert row(alice, image).status == "AWAITING"
    # The form is still good for what it was made for.
    assert send(upload, file.data).status_code == 204
    assert statuses(complete(alice, project, image)) == ["ARRIVED"]


def _checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_complete_answers_for_each_image_of_a_mixed_batch(cast: Cast, project: str) -> None:
    alice = cast.alice
    there, sent, never = photographs(3)
    old = bring(alice, project, there)[0]
    lines = ask(alice, project, sent, never)
    send(lines[0]["upload"], sent.data)
    foreign = bring(cast.charlie, project_of(cast.charlie), there)[0]
    other = bring(alice, project_of(alice, "Lids"), there)[0]
    deleted = ask(alice, project, described(1))[0]["image"]
    alice.api.delete(f"/api/v1/images/{deleted}")
    asked = [lines[0]["image"], lines[1]["image"], old, foreign, other, deleted, MISSING, lines[0]["image"]]

    answer = complete(alice, project, *asked)

    assert answer.status_code == 202
    assert [line["image"] for line in answer.json()["results"]] == asked
    assert statuses(answer) == ["ARRIVED", "MISSING", "ARRIVED", *["NOT_FOUND"] * 4, "ARRIVED"]
    jobs = [str(row(alice, image).job_id) for image in (old, lines[0]["image"])]
    assert answer.json()["jobs"] == jobs
    assert answer.headers["Location"] == f"/api/v1/jobs/{jobs[0]}"
    new = jobs_of(alice)[-1]
    assert (str(new.id), new.spec["images"]) == (jobs[1], [lines[0]["image"]])


def test_complete_twice_changes_nothing(alice: Person, project: str) -> None:
    images = bring(alice, project, *photographs(2))

    again = complete(alice, project, *images)

    (job,) = jobs_of(alice)
    assert (again.status_code, statuses(again), again.json()["jobs"]) == (202, ["ARRIVED"] * 2, [str(job.id)])
    events = alice.api.get("/api/v1/audit").json()["results"]
    arrived = [event["detail"] for event in events if event["action"] == "images.arrived"]
    assert arrived == [{"count": 2, "job": str(job.id)}]


def test_what_a_canceled_job_left_gets_another(alice: Person, project: str) -> None:
    image = bring(alice, project, photograph())[0]
    canceled = row(alice, image).job_id
    assert post(alice, f"jobs/{canceled}/cancel", {}).json()["state"] == "CANCELED"

    answer = complete(alice, project, image)

    new = row(alice, image).job_id
    assert new != canceled
    assert (answer.status_code, statuses(answer), answer.json()["jobs"]) == (202, ["ARRIVED"], [str(new)])
    assert answer.headers["Location"] == f"/api/v1/jobs/{new}"


def test_key_revoked_between_signing_and_completing(alice: Person, project: str) -> None:
    """The signed form outlives the key for its minutes; but nothing is ingested until a key that is good says so."""
    file = photograph()
    secret = post(alice, "keys", {"name": "line 3", "scopes": ["upload", "read"]}).json()
    station = type(alice.api)(raise_request_exception=False)
    station.credentials(HTTP_AUTHORIZATION=f"Bearer {secret['secret']}")
    path = f"/api/v1/projects/{project}/uploads"
    line = station.post(path, {"files": [file.item()]}, format="json").json()["results"][0]
    alice.api.delete(f"/api/v1/keys/{secret['id']}")

    assert send(line["upload"], file.data).status_code == 204
    refused = station.post(f"{path}/complete", {"images": [line["image"]]}, format="json")

    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
    assert jobs_of(alice) == []
    assert row(alice, line["image"]).status == "AWAITING"
    assert statuses(complete(alice, project, line["image"])) == ["ARRIVED"]


def test_asking_again_resumes_and_what_has_arrived_is_a_duplicate(alice: Person, project: str) -> None:
    sent, unsent = photographs(2)
    arrived = bring(alice, project, sent)[0]
    first = ask(alice, project, unsent)[0]

    lines = ask(alice, project, sent, unsent, unsent)

    assert [line["image"] for line in lines] == [arrived, first["image"], first["image"]]
    assert [(line["status"], line["duplicate"], "upload" in line) for line in lines] == [
        ("ARRIVED", True, False),
        ("AWAITING", False, True),
        ("AWAITING", True, False),
    ]
    assert send(lines[1]["upload"], unsent.data).status_code == 204


def test_wrong_announcement_can_be_corrected(alice: Person, project: str) -> None:
    """A client that mistook size and type asks again; the new form takes what the old one refused."""
    file = photograph(form="PNG")
    wrong = ask(alice, project, file.item(size=len(file.data) + 1, content_type="image/jpeg"))[0]
    assert send(wrong["upload"], file.data).status_code >= 400

    right = ask(alice, project, file)[0]

    assert right["image"] == wrong["image"]
    assert send(right["upload"], file.data).status_code == 204
    assert statuses(complete(alice, project, right["image"])) == ["ARRIVED"]


def test_unusable_list_of_images_is_refused(alice: Person, project: str) -> None:
    for images in (None, [], "x", ["x"], [None], [MISSING] * 101, ["\x00"], {"a": MISSING}):
        answer = post(alice, f"projects/{project}/uploads/complete", {"images": images})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), images


def test_repeated_request_is_signed_anew_and_another_body_is_refused(alice: Person, project: str) -> None:
    """Presigned addresses are never stored, so the key of an upload repeats the work instead of the answer."""
    path, file = f"/api/v1/projects/{project}/uploads", photograph()

    def asked(*files: File) -> Any:
        body = {"files": [one.item() for one in files]}
        return alice.api.post(path, body, format="json", headers={"Idempotency-Key": "batch 7"})

    first, again, other = asked(file), asked(file), asked(file, photograph("other"))

    assert (first.status_code, again.status_code) == (200, 200)
    assert "Idempotency-Replayed" not in again.headers
    lines = [answer.json()["results"][0] for answer in (first, again)]
    assert lines[0]["image"] == lines[1]["image"]
    assert send(lines[1]["upload"], file.data).status_code == 204
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    with tenant_scope(alice.tenant.id):
        assert "policy" not in json.dumps(list(IdempotencyRecord.objects.values_list("body", flat=True)))
