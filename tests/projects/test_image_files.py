"""The file and the thumbnail of an image: by redirect to an address that is good for minutes."""

from urllib.parse import parse_qs, urlsplit

import httpx

from tests.cast import Cast
from tests.projects.files import photograph
from tests.projects.uploading import ask, bring, complete
from tests.projects.working import Hand, row


def test_redirect_leads_to_a_short_lived_address_of_its_own(cast: Cast, project: str, hand: Hand) -> None:
    image = bring(cast.alice, project, photograph())[0]
    hand.work()
    for which, folder, kind in (("file", "images", "image/jpeg"), ("thumbnail", "thumbnails", "image/webp")):
        answers = [cast.vera.api.get(f"/api/v1/images/{image}/{which}") for _ in range(2)]
        address = urlsplit(answers[0].headers["Location"])
        signed = parse_qs(address.query)

        assert [answer.status_code for answer in answers] == [302, 302]
        assert answers[0].headers["Cache-Control"] == "no-store"
        assert answers[0].content == b""
        assert f"/t/{cast.alice.tenant.id}/{folder}/" in address.path
        assert int(signed["X-Amz-Expires"][0]) <= 300
        served = httpx.get(answers[0].headers["Location"])
        assert (served.status_code, served.headers["Content-Type"]) == (200, kind)
        assert "immutable" in served.headers["Cache-Control"]
        # Without its signature the address is worth nothing.
        assert httpx.get(answers[0].headers["Location"].split("?")[0]).status_code == 403
        # Nor is it kept anywhere.
        assert signed["X-Amz-Signature"][0] not in str(vars(row(cast.alice, image)))


def test_image_that_is_not_ready_says_so_and_what_to_do(cast: Cast, project: str, hand: Hand) -> None:
    alice = cast.alice
    line = ask(alice, project, photograph("awaited"))[0]
    arrived = bring(alice, project, photograph("arrived"))[0]
    failed = bring(alice, project, type(photograph())("text.jpg", b"no picture"))[0]
    expected = {line["image"]: "AWAITING", arrived: "ARRIVED"}

    for image, status in expected.items():
        for which in ("file", "thumbnail"):
            answer = alice.api.get(f"/api/v1/images/{image}/{which}")
            assert (answer.status_code, answer.json()["code"]) == (409, "image_not_ready")
            assert status in answer.json()["detail"]
            assert answer.json()["hint"]
    hand.work()
    assert "FAILED" in alice.api.get(f"/api/v1/images/{failed}/file").json()["detail"]
    assert alice.api.get(f"/api/v1/images/{arrived}/file").status_code == 302
    assert complete(alice, project, arrived, failed).json() == {
        "results": [
            {"image": arrived, "status": "READY", "error": None},
            {"image": failed, "status": "FAILED", "error": row(alice, failed).error},
        ],
        "jobs": [],
    }


def test_file_of_a_deleted_or_foreign_image_is_not_found(cast: Cast, project: str, hand: Hand) -> None:
    image = bring(cast.alice, project, photograph())[0]
    hand.work()
    path = f"/api/v1/images/{image}/file"
    assert cast.charlie.api.get(path).status_code == 404
    assert cast.anonymous.get(path).status_code == 401
    assert cast.alice.api.get(path).status_code == 302

    cast.alice.api.delete(f"/api/v1/images/{image}")

    assert cast.alice.api.get(path).status_code == 404
