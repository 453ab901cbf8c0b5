"""Drawing boxes as a labeler does: with a mouse, with keys, against others, and without losing a digit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from tests.browser.boards import Drawer, Hand, boxes, drawer, number, save
from tests.browser.site import Seen, Site
from tests.browser.windows import sign_in
from tests.cast import PASSWORD

# Sides that no mouse makes, and that no rounding leaves alone.
ODD = [10.123456789, 20.1, 30.700000000000003, 40.9]


@pytest.fixture(scope="module")
def drawn(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Drawer:
    return drawer(site, Path(str(tmp_path_factory.mktemp("parts"))), name="Editor")


@pytest.fixture
def image(drawn: Drawer) -> str:
    """The oldest photograph."""
    return drawn.images[0]


def test_a_box_is_drawn_moved_resized_typed_undone_and_saved(alice: Seen, drawn: Drawer, image: str) -> None:
    page = alice.open(f"images/{image}")
    hand = Hand(page)
    expect(page.locator("[data-do=save]")).to_be_disabled()
    page.keyboard.press("2")
    hand.drag((300, 200), (400, 260))
    expect(boxes(page)).to_have_count(1)
    expect(boxes(page)).to_contain_text("dent")
    made = [number(page, side) for side in ("x", "y", "w", "h")]
    assert made == pytest.approx([300, 200, 100, 60], abs=1.5)

    hand.drag((350, 230), (300, 250))
    assert [number(page, side) for side in ("w", "h")] == made[2:]  # moved, not touched otherwise
    assert number(page, "x") == pytest.approx(250, abs=2.5)
    right = number(page, "x") + made[2]
    hand.drag((number(page, "x"), 250), (200, 250))
    assert number(page, "x") == pytest.approx(200, abs=2.5)
    assert number(page, "x") + number(page, "w") == pytest.approx(right, abs=1e-9)
    hand.drag((300, 250), (3000, 2000))  # nothing leaves the picture
    assert number(page, "x") + number(page, "w") == 640

    page.locator("#board").focus()
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert [number(page, side) for side in ("x", "y", "w", "h")] == made
    page.keyboard.press("Control+y")
    page.keyboard.press("1")
    expect(boxes(page)).to_contain_text("scratch")
    page.locator("#boxes [data-side=x]").fill("12.25")
    page.locator("#boxes [data-side=x]").press("Tab")
    save(page)
    alice.shot("image")
    ((name, [x, _, w, _]),) = drawn.versions(image)[0]
    assert (name, x, w) == ("scratch", 12.25, made[2])
    expect(page.locator("#history [data-version]")).to_have_count(1)
    expect(page.locator("#label-state")).to_have_text("1 box")


def test_boxes_that_nobody_touches_stay_what_they_are_to_the_last_digit(alice: Seen, drawn: Drawer, image: str) -> None:
    drawn.annotate(image, ("dent", ODD))
    before = drawn.versions(image)
    page = alice.open(f"images/{image}")
    hand = Hand(page)
    hand.click(20, 40)
    expect(page.locator("#boxes [data-side=x]")).to_have_value(str(ODD[0]))
    page.keyboard.press("Escape")
    expect(page.locator("[data-do=save]")).to_be_disabled()
    page.keyboard.press("Control+s")
    assert drawn.versions(image) == before

    hand.drag((500, 300), (550, 350))
    page.keyboard.press("Delete")
    expect(page.locator("[data-do=save]")).to_be_disabled()  # as it was: nothing to save
    hand.drag((500, 300), (550, 350))
    save(page)
    assert ("dent", ODD) in drawn.versions(image)[0]
    assert len(drawn.versions(image)) == len(before) + 1


def test_of_two_who_save_the_second_is_asked(site: Site, alice: Seen, drawn: Drawer, image: str) -> None:
    drawn.annotate(image, ("dent", [1, 2, 30, 40]))
    page = alice.open(f"images/{image}")
    hand = Hand(page)
    hand.drag((400, 100), (480, 180))
    drawn.annotate(image, ("scratch", [5, 6, 70, 80]), who="bob")

    page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Bob saved version")
    alice.shot("conflict")
    assert len(drawn.versions(image)[0]) == 1  # nothing of Bob's was overwritten
    dialog.get_by_role("button", name="Take theirs").click()
    expect(boxes(page)).to_contain_text(["scratch"])
    expect(page.locator("[data-do=save]")).to_be_disabled()
    page.locator("[data-do=undo]").click()
    expect(boxes(page)).to_have_count(2)
    drawn.annotate(image, ("scratch", [5, 6, 70, 81]), who="bob")

    page.keyboard.press("Control+s")
    page.get_by_role("dialog").get_by_role("button", name="Save mine over it").click()
    expect(page.locator("#notice")).to_contain_text("Saved.")
    assert sorted(name for name, _ in drawn.versions(image)[0]) == ["dent", "scratch"]


def test_what_is_not_saved_is_not_left_unasked(alice: Seen, drawn: Drawer, image: str) -> None:
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page = alice.open(f"images/{image}")
    page.on("dialog", answer)
    Hand(page).drag((100, 300), (160, 360))
    expect(page.locator("#label-state")).to_have_text("Not saved yet")
    page.locator("#previous").click()
    page.wait_for_timeout(300)
    assert (asked, image in page.url) == (["beforeunload"], True)
    page.locator("#board").focus()
    page.keyboard.press("Control+z")
    page.locator("#previous").click()
    page.wait_for_url(f"**/images/{drawn.images[1]}")
    assert asked == ["beforeunload"]


def test_who_was_signed_out_signs_in_elsewhere_and_loses_nothing(
    site: Site, browser: Browser, drawn: Drawer, image: str
) -> None:
    with site.browsing(browser, "bob") as bob:
        page = bob.open(f"images/{image}")
        Hand(page).drag((400, 300), (460, 380))
        page.context.clear_cookies()
        page.keyboard.press("Control+s")
        expect(page.locator("#notice")).to_contain_text("Sign in in another tab")
        before = len(drawn.versions(image))
        signed_in_elsewhere(page, site, "alice")
        page.keyboard.press("Control+s")
        expect(page.locator("#notice")).to_contain_text("Somebody else has signed in")
        assert len(drawn.versions(image)) == before  # what Bob drew is not to stand in Alice's name
        signed_in_elsewhere(page, site, "bob")
        save(page)
        assert len(drawn.versions(image)) == before + 1
        # What the browser says of the refusals: signed out, and twice the token of the session before.
        assert [said.split("status of ")[1][:3] for said in bob.complaints] == ["401", "403", "403"]
        bob.complaints.clear()


def signed_in_elsewhere(page: Page, site: Site, who: str) -> None:
    """In another tab of the same browser, in place of whoever was."""
    page.context.clear_cookies()
    other = page.context.new_page()
    sign_in(other, site.url, site.people[who].email, PASSWORD)
    other.close()


def test_a_refusal_tells_a_person_nothing_of_routes(alice: Seen, image: str) -> None:
    page = alice.open(f"images/{image}")
    problem = {"detail": "Slow down.", "hint": "Wait 3 s (Retry-After), or look (GET /api/v1/me) why."}
    page.route(f"{alice.base}/api/projects/*/annotations", lambda route: route.fulfill(status=429, json=problem))
    Hand(page).drag((400, 300), (460, 380))
    page.keyboard.press("Control+s")
    expect(page.locator("#notice")).to_have_text("Not saved. Slow down. Wait 3 s, or look why.")
    assert all("429" in said for said in alice.complaints)
    alice.complaints.clear()


def test_what_is_saved_is_not_called_unsaved_when_the_history_cannot_be_read(
    alice: Seen, drawn: Drawer, image: str
) -> None:
    page = alice.open(f"images/{image}")
    page.route(
        f"{alice.base}/api/annotations/*", lambda route: route.fulfill(status=429, json={"detail": "Slow down."})
    )
    Hand(page).drag((500, 20), (560, 80))
    before = len(drawn.versions(image))
    page.keyboard.press("Control+s")
    expect(page.locator("#notice")).to_contain_text("Saved, but the history is not up to date.")
    expect(page.locator("[data-do=save]")).to_be_disabled()
    assert len(drawn.versions(image)) == before + 1
    assert all("429" in said for said in alice.complaints)
    alice.complaints.clear()


def test_image_after_image_within_the_filter(alice: Seen, drawn: Drawer) -> None:
    newest, middle, oldest = reversed(drawn.images)
    drawn.annotate(oldest, ("dent", [1, 2, 33, 44]))
    page = alice.open(f"images/{newest}?labelled=false&meta.line=A")
    expect(page.locator("#previous")).to_have_attribute("aria-disabled", "true")
    page.locator("[data-do=good]").click()
    expect(page.locator("#label-state")).to_have_text("Good part")
    assert drawn.versions(newest) == [[]]
    page.keyboard.press("]")
    page.wait_for_url(f"**/images/{middle}?labelled=false&meta.line=A")

    # The last that nobody labelled: there is none to go on to, and the one before has left the list.
    expect(page.locator("[data-do=save-next]")).to_be_disabled()
    expect(page.locator("#previous")).to_have_attribute("aria-disabled", "true")
    page.goto(page.url.partition("?")[0])
    Hand(page).drag((50, 50), (120, 120))
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/images/{oldest}")
    assert len(drawn.versions(middle)[0]) == 1


def test_an_older_version_is_looked_at_and_brought_back(alice: Seen, drawn: Drawer) -> None:
    image = drawn.images[2]
    drawn.annotate(image, ("dent", ODD))
    drawn.annotate(image, ("dent", ODD), ("scratch", [200, 100, 50, 50]))
    page = alice.open(f"images/{image}")
    expect(boxes(page)).to_have_count(2)
    page.locator("#history [data-version]").nth(1).click()
    expect(boxes(page)).to_have_count(1)
    Hand(page).drag((400, 300), (450, 350))  # the past cannot be changed
    expect(boxes(page)).to_have_count(1)
    page.get_by_role("button", name="Use these boxes").click()
    save(page)
    assert drawn.versions(image)[0] == [("dent", ODD)]


def test_metadata_and_split_are_edited_on_what_is_there(site: Site, alice: Seen, drawn: Drawer) -> None:
    image = drawn.images[1]
    page = alice.open(f"images/{image}")
    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Value of camera")).to_have_value("3")
    dialog.get_by_label("Value of line").fill("B")
    dialog.get_by_label("Split").select_option("TEST")
    with page.expect_navigation():
        dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#split-badge")).to_contain_text("Test")
    now = site.ask("alice", "GET", f"images/{image}")
    assert (now["metadata"], now["split"], now["split_pinned"]) == ({"camera": 3, "line": "B"}, "TEST", True)

    page.get_by_role("button", name="Edit").click()
    dialog.get_by_label("Value of line").fill("C")
    site.ask("alice", "PATCH", f"images/{image}", {"split": "TRAIN"})
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else changed this image")
    assert site.ask("alice", "GET", f"images/{image}")["metadata"]["line"] == "B"
    assert len(alice.complaints) == 1  # the refusal itself: 412
    alice.complaints.clear()


def test_a_viewer_looks_and_draws_nothing(site: Site, browser: Browser, drawn: Drawer) -> None:
    image = drawn.images[0]
    drawn.annotate(image, ("dent", [100, 100, 50, 61]))
    with site.browsing(browser, "vera", size=(390, 844)) as vera:
        page = vera.open(f"images/{image}")
        expect(boxes(page)).to_contain_text(["dent"])
        expect(page.locator("[data-do=save]")).to_have_count(0)
        boxes(page).get_by_role("button").click()
        expect(page.locator("#boxes input")).to_have_count(0)
        Hand(page).drag((300, 300), (350, 350))
        expect(boxes(page)).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        vera.shot("image-narrow")


def test_predictions_are_laid_over_it_from_a_score_on(alice: Seen, drawn: Drawer) -> None:
    """The server's half is in tests/training/web: a model to ask would take minutes to train."""
    image, dent = drawn.images[0], drawn.classes["dent"]
    found = [{"class": dent, "name": "dent", "score": score, "bbox": [10, 10, 40, 40]} for score in (0.91, 0.55, 0.2)]
    judged = {"judged": True, "method": "OUT_OF_FOLD", "score": 0.5, "predictions": found}
    model = {"id": "m1", "number": 1, "recipe": "fast", "evaluation": None}
    answers: dict[str, Any] = {
        f"projects/{drawn.project}/models?limit=50": {"results": [model | {"id": "m2", "number": 2}, model]},
        f"projects/{drawn.project}/promotions?limit=1": {"results": [{"model": "m1"}]},
        f"models/m1/images/{image}": judged,
        f"models/m2/images/{image}": judged | {"judged": False, "predictions": []},
    }
    for path, answer in answers.items():
        alice.page.route(f"{alice.base}/api/{path}", _answering(answer))
    page = alice.open(f"images/{image}")
    page.get_by_text("Predictions").click()
    panel = page.locator("#predictions")
    expect(panel.get_by_label("Model")).to_have_value("m1")  # the promoted one
    expect(panel.locator("[data-sum]")).to_have_text("2 predictions, by a sibling that did not learn from this image.")
    expect(panel).to_contain_text("0.50 on, where this model errs least")
    panel.get_by_label("Least score shown").fill("0.1")
    expect(panel.get_by_role("list", name="Predictions").locator("li")).to_have_text(
        ["dent0.91", "dent0.55", "dent0.20"]
    )
    alice.shot("image-predictions")
    panel.get_by_label("Model").select_option("m2")
    expect(panel).to_contain_text("was not evaluated on this image")
    page.reload()
    expect(panel.get_by_label("Model")).to_have_value("m2")  # as it was left, for the next image


def _answering(answer: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(json=answer)
