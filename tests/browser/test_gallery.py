"""The gallery by mouse and keyboard."""

import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.site import Seen, Site
from tests.browser.test_upload import send, written
from tests.browser.windows import NARROW


@pytest.fixture
def project(site: Site) -> str:
    made = site.ask("alice", "POST", "projects", {"name": f"Casings {uuid.uuid4().hex[:8]}", "kind": "DETECTION"})
    return str(made["id"])


def test_filters_choosing_and_deleting(site: Site, alice: Seen, project: str, tmp_path: Path) -> None:
    page = alice.open(f"projects/{project}/upload")
    send(page, *written(tmp_path, 8))
    page = alice.open(f"projects/{project}/images")
    cards, boxes, bar = page.locator("[data-card]"), page.locator("input[name=image]"), page.locator("#chosen")
    expect(cards).to_have_count(8)
    expect(bar).to_be_hidden()
    expect(cards.first.locator("img")).to_have_js_property("complete", True)
    assert cards.first.locator("img").evaluate("picture => picture.naturalWidth") > 0

    # By keyboard: to the third, choose it; Shift and a click choose up to there.
    cards.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(bar).to_contain_text("1 image chosen")
    expect(boxes.nth(2)).to_be_checked()
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 images chosen")
    alice.shot("gallery")
    bar.get_by_role("button", name="Test").click()
    expect(page.get_by_text("4 images are in test, and stay there.")).to_be_visible()

    page.locator("#filter [name=split]").select_option("TEST")
    page.wait_for_url(re.compile(r"split=TEST$"))
    assert cards.count() >= 4
    boxes.first.click()
    page.once("dialog", lambda dialog: dialog.dismiss())
    bar.get_by_role("button", name="Delete").click()
    page.once("dialog", lambda dialog: dialog.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 image is deleted.")).to_be_visible()
    page.goto(f"{alice.base}/projects/{project}/images")
    expect(cards).to_have_count(7)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


def test_a_thumbnail_whose_address_ran_out_is_fetched_anew(
    site: Site, alice: Seen, project: str, tmp_path: Path
) -> None:
    page = alice.open(f"projects/{project}/upload")
    send(page, *written(tmp_path, 1))
    # As if the page had been open for longer than its addresses are good.
    page.route("**/thumbnails/**", lambda route: route.abort(), times=1)
    page = alice.open(f"projects/{project}/images")
    picture = page.locator("[data-card] img")
    expect(picture).not_to_have_attribute("data-stable", re.compile("."))
    for _ in range(100):
        if picture.evaluate("picture => picture.complete && picture.naturalWidth > 0"):
            break
        page.wait_for_timeout(100)
    assert picture.evaluate("picture => picture.naturalWidth") > 0
    alice.complaints.clear()


def test_a_class_is_added_in_its_dialog_and_a_refused_one_stands_there_again(alice: Seen, project: str) -> None:
    page = alice.open(f"projects/{project}")
    expect(page.locator("[aria-current=step]")).to_contain_text("Upload photographs")
    page.get_by_role("button", name="Add the first class").click()
    dialog = page.locator("#class-new")
    dialog.locator("[name=name]").fill("Scratch")
    dialog.locator("[name=definition]").fill("Breaks the surface.")
    dialog.get_by_role("button", name="Add class").click()
    expect(page.get_by_role("heading", name="Scratch", exact=True).first).to_be_visible()
    alice.shot("project")

    page.get_by_role("button", name="Add class").first.click()
    dialog.locator("[name=name]").fill("Scratch")
    dialog.locator("[name=definition]").fill("typed in vain?")
    dialog.get_by_role("button", name="Add class").click()
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("alert")).to_contain_text("There is a class named 'Scratch' already.")
    expect(dialog.locator("[name=definition]")).to_have_value("typed in vain?")
    # The browser tells of every answer that is an error.
    alice.complaints.clear()
