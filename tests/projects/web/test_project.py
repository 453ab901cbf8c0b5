"""The pages of projects: the list, where one stands, its label book, and its end."""

import html
import re
from typing import Any

import pytest

from projects.models import DefectClass, Project
from projects.web import projects as pages
from tenants.ids import uuid7
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.labelled import label, ready, snapshot_of
from tests.projects.labelling import book
from tests.projects.test_lists import Queries
from tests.projects.web.reading import field, open_page, text_of
from tests.projects.working import Hand


def post(person: Person, path: str, **form: Any) -> Any:
    return person.web.post(person.page(path), form)


def test_a_project_is_made_on_the_page(cast: Cast) -> None:
    answer = post(cast.alice, "projects", name="  Lids ", kind="DETECTION", description="")
    assert answer.status_code == 302
    assert "Lids" in text_of(cast.alice.web.get(answer["Location"]))
    for bad in ({"name": ""}, {"name": "x" * 201}, {"name": "Caps", "kind": "GUESSING"}, {"name": "a\x00b"}):
        refused = post(cast.alice, "projects", **{"kind": "DETECTION", **bad})
        assert refused.status_code == 400
        assert 'role="alert"' in refused.content.decode()
    with tenant_scope(cast.alice.tenant.id):
        assert list(Project.objects.values_list("name", flat=True)) == ["Lids"]


def test_an_empty_project_says_what_to_do_first(alice: Person, project: str) -> None:
    page = open_page(alice, f"projects/{project}")
    assert "next Upload photographs 0 of 50" in text_of(page)
    assert "The label book is empty" in text_of(page)
    assert alice.page(f"projects/{project}/upload") in page.content.decode()


def test_the_steps_go_on_with_the_project(alice: Person, project: str, hand: Hand) -> None:
    book(alice, project, "dent")
    image = ready(alice, project, "one.jpg")
    label(alice, image, ("dent", 1, 1, 5, 5), ("dent", 9, 9, 5, 5))
    said = text_of(open_page(alice, f"projects/{project}"))
    assert "2 boxes on 1 image" in said
    assert "next Upload photographs 1 of 50" in said

    snapshot_of(alice, project)
    assert "None yet" in text_of(open_page(alice, f"projects/{project}"))
    hand.work()
    said = text_of(open_page(alice, f"projects/{project}"))
    # One photograph was enough for a snapshot: nobody is sent back for 49 more.
    assert "Done: Upload photographs 1 of 50" in said
    assert "Done: Freeze a snapshot Snapshot 1" in said
    assert "next Train Not trained yet" in said


def test_classes_show_the_newest_photographs_of_each(alice: Person, project: str) -> None:
    dent, scratch = book(alice, project, "dent", "scratch")
    images = [ready(alice, project, f"{number}.jpg") for number in range(6)]
    for image in images:
        label(alice, image, ("dent", 1, 1, 5, 5))
    label(alice, images[0], ("scratch", 1, 1, 5, 5))
    alice.api.delete(f"/api/v1/images/{images[5]}")

    page = open_page(alice, f"projects/{project}").content.decode()
    dents, scratches = page[page.index(f"class-{dent}") : page.index(f"class-{scratch}")], page
    assert [image for image in images if f"images/{image}/thumbnail" in dents] == images[1:5]
    assert "X-Amz-Signature" in dents
    assert f"images/{images[0]}/thumbnail" in scratches[scratches.index(f"class-{scratch}") :]


def test_a_class_is_added_changed_and_taken_out(alice: Person, project: str) -> None:
    answer = post(alice, f"projects/{project}/classes", name="Dent", definition="A hollow", rule="", color="#112233")
    assert answer["Location"] == alice.page(f"projects/{project}") + "#label-book"
    page = open_page(alice, f"projects/{project}")
    assert "A hollow" in text_of(page)
    with tenant_scope(alice.tenant.id):
        (made,) = DefectClass.objects.all()
    assert made.color == "#112233"

    seen = field(page, "seen", after=f"class-{made.id}-form")
    changed = post(alice, f"classes/{made.id}", seen=seen, name="Dent", definition="Deeper", rule="", color="#112233")
    assert changed.status_code == 302
    assert "Deeper" in text_of(open_page(alice, f"projects/{project}"))
    assert post(alice, f"classes/{made.id}", do="delete").status_code == 302
    assert "The label book is empty" in text_of(open_page(alice, f"projects/{project}"))
    assert post(alice, f"classes/{made.id}", do="delete").status_code == 404


def test_a_refused_class_stands_in_its_form_again(alice: Person, project: str) -> None:
    (dent,) = book(alice, project, "dent")
    for form in ({"name": ""}, {"name": "dent"}, {"name": "x", "color": "red"}):
        refused = post(alice, f"projects/{project}/classes", **{"definition": "typed", "rule": "", **form})
        assert refused.status_code in (400, 409)
        page = refused.content.decode()
        assert page.index("data-reopen") < page.index("typed") < page.index(f'id="class-{dent}-form"')
    with tenant_scope(alice.tenant.id):
        assert DefectClass.objects.count() == 1


def test_who_edits_what_another_changed_is_told_and_loses_nothing(cast: Cast, alice: Person, project: str) -> None:
    (dent,) = book(alice, project, "dent")
    page = open_page(alice, f"projects/{project}")
    seen = field(page, "seen", after=f"class-{dent}-form")
    alice.api.patch(f"/api/v1/classes/{dent}", {"rule": "of another"}, format="json")

    mine = {"name": "dent", "definition": "mine", "rule": "", "color": "#d97706"}
    refused = post(alice, f"classes/{dent}", seen=seen, **mine)
    assert refused.status_code == 412
    assert "Somebody else changed this" in text_of(refused)
    assert ">mine</textarea>" in refused.content.decode()
    with tenant_scope(alice.tenant.id):
        assert DefectClass.objects.get(id=dent).rule == "of another"
    again = post(alice, f"classes/{dent}", seen=field(refused, "seen", after=f"class-{dent}-form"), **mine)
    assert again.status_code == 302

    seen = field(page, "seen", after='id="edit-project"')
    alice.api.patch(f"/api/v1/projects/{project}", {"description": "of another"}, format="json")
    refused = post(alice, f"projects/{project}", do="change", seen=seen, name="Mine", description="")
    assert refused.status_code == 412
    assert 'value="Mine"' in refused.content.decode()


def test_counters_that_go_on_by_themselves_are_no_conflict(alice: Person, project: str) -> None:
    (dent,) = book(alice, project, "dent")
    page = open_page(alice, f"projects/{project}")
    label(alice, ready(alice, project, "new.jpg"), ("dent", 1, 1, 5, 5))

    seen = field(page, "seen", after='id="edit-project"')
    assert post(alice, f"projects/{project}", do="change", seen=seen, name="Caps", description="").status_code == 302
    seen = field(page, "seen", after=f"class-{dent}-form")
    assert post(alice, f"classes/{dent}", seen=seen, name="hollow").status_code == 302


def test_a_project_is_deleted_by_its_name_only(alice: Person, project: str) -> None:
    for typed in ("", "casings", "Casing"):
        refused = post(alice, f"projects/{project}", do="delete", confirm=typed)
        assert refused.status_code == 400
        assert "nothing was deleted" in text_of(refused)
    answer = post(alice, f"projects/{project}", do="delete", confirm=" Casings ")
    assert answer["Location"] == alice.page("projects")
    assert alice.web.get(alice.page(f"projects/{project}")).status_code == 404


@pytest.mark.parametrize("path", ["projects/{project}", "projects/{project}/classes", "classes/{dent}"])
def test_who_may_not_edit_only_looks(path: str, cast: Cast, alice: Person, project: str) -> None:
    (dent,) = book(alice, project, "dent")
    address = path.format(project=project, dent=dent)
    for person in (cast.bob, cast.vera):
        assert post(person, address, name="New").status_code == 403
        assert "data-dialog" not in open_page(person, f"projects/{project}").content.decode()
    charlie = post(cast.charlie, address, name="New")
    nothing = post(cast.charlie, path.format(project=uuid7(), dent=uuid7()), name="New")
    assert (charlie.status_code, charlie.content) == (404, nothing.content)
    assert post(alice, address, name="New").status_code == 302


def test_the_page_asks_as_many_queries_for_three_classes_as_for_one(
    alice: Person, project: str, queries: Queries
) -> None:
    def read(count: int) -> int:
        for number in range(count):
            names = book(alice, project, f"class {number} of {count}")
            label(alice, ready(alice, project, f"{number} of {count}.jpg"), (names[0], 1, 1, 5, 5))
        web = alice.web
        with queries() as sql:
            assert web.get(alice.page(f"projects/{project}")).status_code == 200
        return len([statement for statement in sql if statement.startswith("SELECT")])

    assert (read(1), read(2)) == (10, 10)


def test_the_list_asks_as_many_queries_for_three_projects_as_for_one(
    alice: Person, project: str, queries: Queries
) -> None:
    def read() -> int:
        web = alice.web
        with queries() as sql:
            assert "Casings" in text_of(web.get(alice.page("projects")))
        return len([statement for statement in sql if statement.startswith("SELECT")])

    at_one = read()
    project_of(alice, "Lids")
    project_of(alice, "Bolts")
    assert (at_one, read()) == (7, 7)


def test_a_long_list_is_paged_with_the_counts_of_each(
    alice: Person, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "A_PAGE", 2)
    book(alice, project, "dent")
    label(alice, ready(alice, project, "one.jpg"), ("dent", 1, 1, 5, 5))
    ready(alice, project, "two.jpg")
    for name in ("Lids", "Bolts", "Caps", "Rods"):
        project_of(alice, name)
    path, shown = "projects", []
    while path:
        page = open_page(alice, path)
        shown.append(re.findall(r"(Casings|Lids|Bolts|Caps|Rods) Detection", text_of(page)))
        older = re.search(r'rel="next" href="([^"]+)"', page.content.decode())
        path = "projects" + html.unescape(older[1]) if older else ""
    assert shown == [["Rods", "Caps"], ["Bolts", "Lids"], ["Casings"]]
    assert "1 of 2 images labelled" in text_of(page)
    newer = re.search(r'rel="prev" href="([^"]+)"', page.content.decode())
    assert newer
    assert "Bolts" in text_of(open_page(alice, "projects" + html.unescape(newer[1])))
