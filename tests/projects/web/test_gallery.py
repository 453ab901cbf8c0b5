"""The gallery: what it shows, how it is narrowed and paged, and what is done with chosen images."""

import re
from typing import Any

import pytest

from projects.models import Image
from projects.web import images as gallery
from tenants.ids import uuid7
from tenants.models import AuditEvent
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.files import described
from tests.projects.labelled import label, labelled, ready
from tests.projects.labelling import book, counters, recounted
from tests.projects.test_lists import Queries
from tests.projects.uploading import post, usage
from tests.projects.web.reading import open_page, text_of


def shown(answer: Any) -> list[str]:
    """The images of a page, in its order."""
    return re.findall(r'name="image" value="([^"]+)"', answer.content.decode())


def failed(person: Person, image: str) -> None:
    error = {"code": "corrupt", "message": "broken.jpg is cut short.", "hint": "Copy it from the camera again."}
    with tenant_scope(person.tenant.id):
        Image.objects.filter(id=image).update(status=Image.Status.FAILED, error=error)


def test_thumbnails_show_with_what_is_known_of_each(alice: Person, project: str) -> None:
    book(alice, project, "dent")
    one = labelled(alice, project, "one.jpg", ("dent", 1, 1, 5, 5))
    two = ready(alice, project, "two.jpg", split="TEST")
    page = open_page(alice, f"projects/{project}/images")

    assert shown(page) == [two, one]
    html = page.content.decode()
    assert html.count("X-Amz-Signature") == 2
    cards = dict(zip((two, one), html.split('name="image"')[1:], strict=True))
    assert 'aria-label="dent"' in cards[one]
    assert "Labelled" in cards[one]
    assert "Labelled" not in cards[two]
    assert "Test" in cards[two]
    assert alice.page(f"images/{one}") in cards[one]


def test_every_filter_narrows_and_stands_in_the_form_and_in_the_links(alice: Person, project: str) -> None:
    (dent,) = book(alice, project, "dent")
    one = labelled(alice, project, "cam1_one.jpg", ("dent", 1, 1, 5, 5), metadata={"camera": "3"})
    two = ready(alice, project, "CAM2_two.jpg", split="TEST", metadata={"camera": 4})
    expected = {
        "labelled=true": [one],
        "labelled=false": [two],
        f"class={dent}": [one],
        "split=TEST": [two],
        "status=READY": [two, one],
        "filename_contains=cam2_": [two],
        "filename_contains=%25": [],
        "meta.camera=3": [one],
        "meta.camera=4&split=TEST": [two],
        "meta.camera=4&split=TRAIN": [],
    }
    for query, images in expected.items():
        page = open_page(alice, f"projects/{project}/images?{query}")
        assert shown(page) == images, query
        if not images:
            assert "No image matches" in text_of(page)
    page = open_page(alice, f"projects/{project}/images?split=TEST&meta.camera=4").content.decode()
    assert f"images/{two}?split=TEST&amp;meta.camera=4" in page
    assert '<option value="TEST" selected>' in page
    assert 'name="meta_name" value="camera"' in page


def test_the_form_leads_to_an_address_of_what_was_chosen(alice: Person, project: str) -> None:
    page = alice.page(f"projects/{project}/images")
    form = {"labelled": "", "split": "TEST", "status": "", "meta_name": "line 2", "meta_value": "a&b"}
    assert alice.web.get(page, form)["Location"] == f"{page}?split=TEST&meta.line+2=a%26b"
    assert alice.web.get(page, {"labelled": "", "meta_name": "camera", "meta_value": ""})["Location"] == page


def test_pages_meet_forth_and_back(alice: Person, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "A_PAGE", 2)
    images = [ready(alice, project, f"{number}.jpg", split="TEST") for number in range(5)][::-1]
    ready(alice, project, "other.jpg", split="TRAIN")

    def follow(address: str, way: str) -> list[list[str]]:
        pages = []
        while True:
            page = alice.web.get(address)
            pages.append(shown(page))
            found = re.search(rf'rel="{way}" href="([^"]+)"', page.content.decode())
            if not found:
                return pages
            last.append(address := alice.page(f"projects/{project}/images") + found[1].replace("&amp;", "&"))

    last: list[str] = []
    forth = follow(alice.page(f"projects/{project}/images?split=TEST"), "next")
    assert forth == [images[:2], images[2:4], images[4:]]
    assert follow(last[-1], "prev") == [images[4:], images[2:4], images[:2]]


def test_empty_lists_say_why(cast: Cast, alice: Person, project: str) -> None:
    path = f"projects/{project}/images"
    assert "Upload photographs" in text_of(open_page(alice, path))
    assert "Upload photographs" not in text_of(open_page(cast.vera, path))
    assert "Nothing failed" in text_of(open_page(alice, f"{path}?status=FAILED"))


def test_failed_uploads_are_listed_with_reason_and_remedy(alice: Person, project: str) -> None:
    image = ready(alice, project, "broken.jpg")
    failed(alice, image)
    for query in ("", "?status=FAILED"):
        page = open_page(alice, f"projects/{project}/images{query}")
        assert shown(page) == [image]
        assert "broken.jpg is cut short." in text_of(page)
    assert "Copy it from the camera again." in text_of(page)


def act(person: Person, project: str, *images: str, do: str) -> Any:
    return person.web.post(person.page(f"projects/{project}/images?split=TEST"), {"image": images, "do": do})


def test_chosen_images_are_deleted_and_counted_out(alice: Person, project: str) -> None:
    book(alice, project, "dent", "scratch")
    box = (1, 1, 5, 5)
    one = labelled(alice, project, "1.jpg", ("dent", *box), ("dent", *box), ("scratch", *box))
    two = labelled(alice, project, "2.jpg", ("dent", *box))
    good = labelled(alice, project, "3.jpg")
    kept = labelled(alice, project, "4.jpg", ("dent", *box), ("scratch", *box))
    plain = ready(alice, project, "5.jpg")
    label(alice, two, ("scratch", *box), ("scratch", *box))
    used = usage(alice)

    web, page = alice.web, alice.page(f"projects/{project}/images")
    answer = web.post(f"{page}?split=TEST", {"image": [one, two, good, plain], "do": "delete"})
    assert answer["Location"] == f"{page}?split=TEST"
    assert "4 images are deleted." in text_of(web.get(page))
    assert shown(open_page(alice, f"projects/{project}/images")) == [kept]
    assert counters(alice, project) == recounted(alice, project) == {"labelled": 1, "dent": (1, 1), "scratch": (1, 1)}
    assert usage(alice) == used | {"images": 1, "bytes": used["bytes"] // 5}
    assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 1
    with tenant_scope(alice.tenant.id):
        event = AuditEvent.objects.get(action="images.deleted")
    assert set(event.detail["images"]) == {one, two, good, plain}


def test_chosen_images_are_pinned_to_a_split(alice: Person, project: str) -> None:
    one, two = (ready(alice, project, f"{number}.jpg") for number in range(2))
    assert act(alice, project, one, do="VALIDATION").status_code == 302
    with tenant_scope(alice.tenant.id):
        assert (Image.objects.get(id=one).split, Image.objects.get(id=one).split_pinned) == ("VALIDATION", True)
        assert Image.objects.get(id=two).split == "TRAIN"


def test_all_of_a_choice_or_nothing(cast: Cast, alice: Person, project: str) -> None:
    own = ready(alice, project, "own.jpg")
    theirs_project = post(cast.charlie, "projects", {"name": "Bolts", "kind": "DETECTION"}).json()["id"]
    theirs = ready(cast.charlie, theirs_project, "theirs.jpg")
    elsewhere_project = post(alice, "projects", {"name": "Lids", "kind": "DETECTION"}).json()["id"]
    elsewhere = ready(alice, elsewhere_project, "elsewhere.jpg")
    for do in ("delete", "TEST"):
        answers = [act(alice, project, own, other, do=do) for other in (theirs, elsewhere, str(uuid7()))]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert len({answer.content for answer in answers}) == 1
        for bad in ((), ("no id",), tuple(str(uuid7()) for _ in range(501))):
            assert act(alice, project, *bad, do=do).status_code == 400
    assert act(alice, project, own, do="LATER").status_code == 400
    with tenant_scope(alice.tenant.id):
        image = Image.objects.get(id=own)
    assert (image.deleted_at, image.split_pinned) == (None, True)
    assert act(alice, project, own, do="delete").status_code == 302


def test_who_may_not_edit_looks_only(cast: Cast, alice: Person, project: str) -> None:
    image = ready(alice, project, "one.jpg")
    for person in (cast.bob, cast.vera):
        page = open_page(person, f"projects/{project}/images")
        assert shown(page) == []
        assert f"images/{image}" in page.content.decode()
        assert act(person, project, image, do="delete").status_code == 403
    assert cast.charlie.web.get(cast.charlie.page(f"projects/{project}/images")).status_code == 404


@pytest.mark.parametrize("query", ["status=LOST", "class=x", "cursor=x", "tenant=x", "limit=2"])
def test_a_filter_that_cannot_be_is_refused(query: str, alice: Person, project: str) -> None:
    assert alice.web.get(alice.page(f"projects/{project}/images?{query}")).status_code == 400


def test_the_page_asks_as_many_queries_for_three_images_as_for_one(
    alice: Person, project: str, queries: Queries
) -> None:
    (dent,) = book(alice, project, "dent")

    def read(query: str) -> int:
        web = alice.web
        with queries() as sql:
            assert web.get(alice.page(f"projects/{project}/images{query}")).status_code == 200
        assert not any(re.search(r"\b(COUNT|OFFSET)\b", statement, re.IGNORECASE) for statement in sql)
        return len([statement for statement in sql if statement.startswith("SELECT")])

    labelled(alice, project, "0.jpg", ("dent", 1, 1, 5, 5))
    at_one = [read(query) for query in ("", f"?class={dent}&labelled=true&meta.camera=3")]
    for number in (1, 2):
        labelled(alice, project, f"{number}.jpg", ("dent", 1, 1, 5, 5))
    assert at_one == [10, 11]
    assert [read(query) for query in ("", f"?class={dent}&labelled=true&meta.camera=3")] == at_one


def test_deleting_asks_as_many_queries_for_three_images_as_for_one(
    alice: Person, project: str, queries: Queries
) -> None:
    book(alice, project, "dent", "scratch")
    images = [labelled(alice, project, f"{number}.jpg", ("dent", 1, 1, 5, 5)) for number in range(4)]

    def delete(*chosen: str) -> int:
        web = alice.web
        with queries() as sql:
            assert (
                web.post(alice.page(f"projects/{project}/images"), {"image": chosen, "do": "delete"}).status_code == 302
            )
        return len(sql)

    assert delete(images[0]) == delete(*images[1:])


def test_what_is_only_registered_shows_without_picture(alice: Person, project: str) -> None:
    registered = post(alice, f"projects/{project}/images/register", {"files": [described(1)]}).json()["results"]
    page = open_page(alice, f"projects/{project}/images")
    assert shown(page) == [registered[0]["image"]]
    assert "Not sent yet" in text_of(page)
    assert "X-Amz-Signature" not in page.content.decode()
