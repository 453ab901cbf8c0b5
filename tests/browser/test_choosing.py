"""Saying what a whole photograph shows: by mouse, by key, against somebody else, and in a narrow window."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.boards import photograph
from tests.browser.site import Seen, Site
from tests.browser.test_looks import faults_of, settled
from tests.browser.windows import NARROW


@pytest.fixture(scope="module")
def sorting(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """A project whose images have one class each; and its images, newest first."""
    folder = Path(str(tmp_path_factory.mktemp("sorting")))
    made = site.ask("alice", "POST", "projects", {"name": "Sorting", "kind": "CLASSIFICATION"})["id"]
    for label in ("scratch", "dent"):
        site.ask("alice", "POST", f"projects/{made}/classes", {"name": label})
    files = [folder / f"part-{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(photograph(number, "Sorting"))
    with site.client("alice") as api:
        report = api.images.upload(made, files, split="TRAIN")
        assert len(api.images.wait(report, timeout=60).ready) == len(files)
    return made, [row["id"] for row in site.ask("alice", "GET", f"projects/{made}/images")["results"]]


def said(site: Site, image: str) -> list[str | None]:
    """The names of what was said of it, newest first; None for a good part."""
    versions = site.ask("alice", "GET", f"images/{image}/annotations")["results"]
    return [version["boxes"][0]["name"] if version["boxes"] else None for version in versions]


def pressed(page: Page) -> list[str]:
    return [
        str(name)
        for name in page.locator("#choices [aria-pressed=true]").evaluate_all(
            "(all) => all.map((one) => one.dataset.name)"
        )
    ]


def test_keys_say_it_and_lead_on(alice: Seen, site: Site, sorting: tuple[str, list[str]]) -> None:
    _, (first, second, third) = sorting
    page = alice.open(f"images/{first}")
    expect(page.locator("#label-state")).to_have_text("Not labelled")
    page.keyboard.press("2")
    page.wait_for_url(f"**/images/{second}")
    page.keyboard.press("0")
    page.wait_for_url(f"**/images/{third}")
    page.locator("#go-on").uncheck()
    page.keyboard.press("7")  # there is no such class
    page.get_by_role("button", name="scratch").click()
    expect(page.locator("#label-state")).to_have_text("scratch")
    expect(page.locator("#history > li")).to_have_count(1)
    assert pressed(page) == ["scratch"]
    assert [said(site, image) for image in (first, second, third)] == [["dent"], [None], ["scratch"]]
    page.keyboard.press("1")  # the same again is no version
    page.keyboard.press("0")
    expect(page.locator("#label-state")).to_have_text("Good part")
    expect(page.locator("#history > li")).to_have_count(2)
    assert said(site, third) == [None, "scratch"]
    page.reload()
    assert pressed(page) == ["Good part"]
    expect(page.locator("#go-on")).not_to_be_checked()
    alice.shot("image-choices")


def test_what_somebody_else_said_meanwhile_is_shown_first(
    alice: Seen, site: Site, sorting: tuple[str, list[str]]
) -> None:
    project, (first, *_) = sorting
    page = alice.open(f"images/{first}")
    page.locator("#go-on").uncheck()
    body = {"annotations": [{"image": first, "class": "scratch"}]}
    site.ask("bob", "POST", f"projects/{project}/annotations", body)
    page.keyboard.press("0")
    expect(page.locator("#notice")).to_contain_text("Bob saved “scratch” meanwhile.")
    assert pressed(page) == ["scratch"]
    page.keyboard.press("0")
    expect(page.locator("#label-state")).to_have_text("Good part")
    assert said(site, first)[:2] == [None, "scratch"]


def test_it_fits_a_narrow_window_and_everybody_can_use_it(
    site: Site, browser: Browser, sorting: tuple[str, list[str]]
) -> None:
    with site.browsing(browser, "alice", dark=True, size=NARROW) as seen:
        page = seen.open(f"images/{sorting[1][1]}")
        settled(page)
        assert not faults_of(page)
