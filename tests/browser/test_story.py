"""The first hour of a new customer in a browser: from the sign-in to a model that answers, and a key that does not."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from deploy.demo.casings import Casing, generate
from tests.browser.boards import HEIGHT, WIDTH, Hand, boxes, number, save
from tests.browser.site import Seen, Site
from tests.browser.windows import WIDE, sign_in
from tests.cast import PASSWORD

COUNT = 9


@pytest.fixture(scope="module")
def casings() -> list[Casing]:
    return [generate(seed=11, index=index, size=(WIDTH, HEIGHT)) for index in range(COUNT)]


@pytest.fixture
def files(casings: list[Casing], tmp_path: Path) -> list[Path]:
    """Nine photographs, and one that was cut off in the middle."""
    made = []
    for place, casing in enumerate(casings):
        buffer = io.BytesIO()
        casing.image.save(buffer, "JPEG", quality=92)
        made.append(tmp_path / f"casing-{place}.jpg")
        made[-1].write_bytes(buffer.getvalue())
    corrupt = tmp_path / "corrupt.jpg"
    corrupt.write_bytes(made[0].read_bytes()[:3000])
    return [*made[:4], corrupt, *made[4:]]


@pytest.fixture
def seen(site: Site, browser: Browser) -> Iterator[Seen]:
    """Alice's browser on her first day: she is not signed in yet, and says yes to whatever she is asked."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    context.set_default_timeout(20_000)
    made = Seen(context.new_page(), f"{site.url}/t/{site.people['alice'].tenant}")
    made.page.on("dialog", _accept)
    yield made
    context.close()
    assert not made.complaints, made.complaints


def _accept(dialog: Dialog) -> None:
    dialog.accept()


@pytest.mark.timeout(600)
def test_from_the_sign_in_to_a_model_that_answers(
    site: Site, seen: Seen, casings: list[Casing], files: list[Path]
) -> None:
    site.manage("backbone")
    page = seen.page
    sign_in(page, site.url, site.people["alice"].email, PASSWORD)
    project = _project_with_classes(page)
    _upload(seen, project, files)
    _draw_a_box(seen, project, casings[0])
    _label_the_rest(site, project, casings)
    _freeze(seen, project)
    _train(seen, project)
    _look_at_the_model(seen)


def _project_with_classes(page: Page) -> str:
    """Makes the project and two classes; its id."""
    page.get_by_role("button", name=re.compile("New project|Make the first project")).click()
    page.get_by_label("Name").fill("Casings, line 7")
    page.get_by_role("button", name="Make project").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Casings, line 7")
    expect(page.get_by_text("The label book is empty")).to_be_visible()
    for name, definition in (
        ("scratch", "A line in the metal, longer than 1 mm."),
        ("dent", "The metal is pressed in."),
    ):
        page.get_by_role("button", name=re.compile("Add (the first )?class")).first.click()
        dialog = page.get_by_role("dialog", name="Add a class")
        dialog.get_by_label("Name").fill(name)
        dialog.get_by_label("Definition").fill(definition)
        dialog.get_by_role("button", name="Add class").click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    return page.url.rstrip("/").rpartition("/")[2].partition("#")[0]


def _upload(seen: Seen, project: str, files: list[Path]) -> None:
    page = seen.open(f"projects/{project}/upload")
    page.wait_for_selector(".uppy-Dashboard-input", state="attached")
    page.set_input_files(".uppy-Dashboard-input >> nth=0", files)
    page.get_by_label("camera").fill("3")
    page.get_by_role("button", name="Upload 10 files").click()
    outcome = page.locator("#outcome")
    expect(outcome.get_by_role("heading")).to_have_text("Done, but not all files were taken", timeout=60_000)
    expect(outcome.locator("[data-figures]")).to_contain_text("9 taken in")
    expect(outcome.locator("tbody tr")).to_have_count(1)
    expect(outcome.locator("tbody tr")).to_contain_text("corrupt.jpg")
    reason, remedy = (outcome.locator("tbody td").nth(place).inner_text() for place in (1, 2))
    assert len(reason) > 10, reason
    assert len(remedy) > 10, remedy
    seen.shot("story-upload")
    outcome.get_by_role("link", name="See the images").click()
    expect(page.locator("[data-card] img")).to_have_count(COUNT)
    page.wait_for_load_state("networkidle")
    assert all(page.locator("[data-card] img").evaluate_all("(images) => images.map((image) => image.naturalWidth)"))
    seen.shot("story-gallery")
    page.goto(f"{page.url}?status=FAILED")
    expect(page.locator("tbody tr")).to_contain_text(reason)


def _draw_a_box(seen: Seen, project: str, casing: Casing) -> None:
    """By hand; the other photographs are labelled by the API."""
    box = next(box for box in casing.boxes if box.label == "scratch")
    start, end = (box.x, box.y), (box.x + box.width, box.y + box.height)
    page = seen.open(f"projects/{project}/images")
    page.locator("[data-card]", has_text="casing-0.jpg").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("casing-0.jpg")
    page.locator("#board canvas").first.wait_for()
    page.keyboard.press("1")
    Hand(page).drag(start, end)
    expect(boxes(page)).to_have_count(1)
    expect(boxes(page)).to_contain_text("scratch")
    save(page)
    page.reload()
    expect(boxes(page)).to_have_count(1)
    expect(boxes(page)).to_contain_text("scratch")
    Hand(page).click((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    assert [number(page, side) for side in ("x", "y", "w", "h")] == pytest.approx(
        [box.x, box.y, box.width, box.height], abs=1.5
    )
    seen.shot("story-box")


def _label_the_rest(site: Site, project: str, casings: list[Casing]) -> None:
    """As Bob does it, with a program of his own."""
    for name in sorted({box.label for casing in casings for box in casing.boxes} - {"scratch", "dent"}):
        site.ask("alice", "POST", f"projects/{project}/classes", {"name": name})
    rows = site.ask("bob", "GET", f"projects/{project}/images?status=READY&labelled=false")["results"]
    assert len(rows) == COUNT - 1
    items = []
    for row in rows:
        casing = casings[int(re.sub(r"\D", "", row["filename"]))]
        drawn = [{"class": box.label, "bbox": [box.x, box.y, box.width, box.height]} for box in casing.boxes]
        items.append({"image": row["id"], "boxes": drawn})
    site.ask("bob", "POST", f"projects/{project}/annotations", {"annotations": items})


def _freeze(seen: Seen, project: str) -> None:
    page = seen.open(f"projects/{project}/snapshots")
    page.get_by_role("button", name="Freeze the first snapshot").click()
    dialog = page.get_by_role("dialog", name="Freeze a snapshot")
    dialog.get_by_label("Note").fill("The first nine")
    dialog.get_by_role("button", name="Freeze").click()
    expect(page.locator("#snapshots")).to_contain_text("9 images", timeout=30_000)
    expect(page.locator("#snapshots")).to_contain_text("The first nine")
    page.get_by_role("link", name="Train").click()


def _train(seen: Seen, project: str) -> None:
    """From the form that the snapshot leads to, to the model."""
    page = seen.page
    dialog = page.get_by_role("dialog", name="Start a run")
    dialog.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run 1")
    state = page.locator("#run-state")
    expect(state).to_contain_text(re.compile(r"\d+ %"), timeout=90_000)
    seen.shot("story-run")
    expect(page.get_by_text("Model 1 is published")).to_be_visible(timeout=180_000)
    expect(page.locator("#curve canvas")).to_be_visible()
    seen.shot("story-run-done")
    page.get_by_role("link", name="Look at the model").click()


def _look_at_the_model(seen: Seen) -> None:
    page = seen.page
    expect(page.get_by_role("heading", level=1)).to_contain_text("Model 1")
    expect(page.get_by_role("heading", name="How good it is")).to_be_visible()
    expect(page.get_by_text("scratch").first).to_be_visible()
    seen.shot("story-model")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("answers for this project").first).to_be_visible()
    page.get_by_role("link", name="All predictions against truth").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    seen.shot("story-predictions")


def test_a_member_is_invited_and_takes_the_seat(site: Site, browser: Browser, alice: Seen) -> None:
    page = alice.open("members")
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("E-mail address").fill("dora@acme.example")
    page.get_by_role("radio", name="Engineer").check()
    page.get_by_role("button", name="Make invitation").click()
    link = page.locator("#invitation-link").inner_text()
    assert link.startswith(f"{site.url}/accept-invitation#")

    context = browser.new_context()
    dora = context.new_page()
    dora.goto(link)
    dora.fill("[name=name]", "Dora")
    dora.fill("[name=password]", PASSWORD)
    dora.click("button:has-text('Take the seat')")
    expect(dora.get_by_role("heading", name="Projects")).to_be_visible()
    context.close()
    page.goto(f"{alice.base}/members")
    expect(page.get_by_role("row", name="Dora")).to_contain_text("dora@acme.example")
    expect(page.get_by_label("Role of Dora")).to_have_value("ENGINEER")


def test_a_key_is_made_used_and_revoked(site: Site, alice: Seen) -> None:
    page = alice.open("keys")
    page.on("dialog", _accept)
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("Camera PC")
    page.get_by_role("button", name="Make key").click()
    header = {"Authorization": f"Bearer {page.locator('#secret').inner_text()}"}
    assert httpx.get(f"{site.url}/api/v1/projects", headers=header).status_code == 200
    page.goto(f"{alice.base}/keys")
    line = page.get_by_role("row", name="Camera PC")
    line.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="Camera PC")).to_have_count(0)
    page.get_by_role("link", name="Revoked").click()
    expect(page.get_by_role("row", name="Camera PC")).to_contain_text("revoked")
    refused = httpx.get(f"{site.url}/api/v1/projects", headers=header)
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
