"""Importing an archive in a browser: dropped, sent, looked at, imported; and what happens when it cannot be."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Seen, Site
from tests.projects.archives.zips import photo, yolo_zip

ARCHIVE = yolo_zip(
    {"a.png": "0 0.5 0.5 0.4 0.4\n1 0.95 0.5 0.2 0.2\n", "good.png": ""},
    names="names: [dent, burr]\n",
    more={"images/train/broken.png": b"no picture", "labels/train/gone.txt": "0 0.5 0.5 0.2 0.2\n"},
)


@pytest.fixture
def project(site: Site, request: pytest.FixtureRequest) -> str:
    made = site.ask("alice", "POST", "projects", {"name": request.node.name, "kind": "DETECTION"})
    site.ask("alice", "POST", f"projects/{made['id']}/classes", {"name": "dent"})
    return str(made["id"])


def choose(page: Page, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    page.set_input_files("[data-file]", path)


def test_an_archive_is_sent_looked_at_and_imported(alice: Seen, project: str, site: Site, tmp_path: Path) -> None:
    page = alice.open(f"projects/{project}/imports")
    choose(page, tmp_path / "line-3.zip", ARCHIVE)
    page.wait_for_url("**/imports/*")
    # The page looks by itself until the check is through.
    expect(page.get_by_role("heading", name="What was found")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("line-3.zip ready to import")
    problem = page.locator("details", has_text="broken.png")
    expect(problem.get_by_text("images/train/broken.png")).to_be_hidden()
    problem.locator("summary").click()
    expect(problem.get_by_text("images/train/broken.png")).to_be_visible()
    expect(page.get_by_role("list").filter(has_text="burr")).to_contain_text("new")
    alice.shot("import")
    assert site.ask("alice", "GET", f"projects/{project}/images")["results"] == []

    page.get_by_role("radio", name="Make them").check()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="What it brought")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("imported")
    refused = page.get_by_role("region", name="Not taken")
    expect(refused.get_by_role("row")).to_have_count(3)
    expect(refused).to_contain_text("images/train/broken.png")
    with page.expect_download() as caught:
        page.get_by_role("link", name="Results").click()
    assert len(caught.value.path().read_text().splitlines()) == 4
    rows = site.ask("alice", "GET", f"projects/{project}/images?labelled=true")["results"]
    assert {row["filename"] for row in rows} == {"a.png", "good.png"}
    page.goto(f"{alice.base}/projects/{project}/imports")
    expect(page.get_by_role("row", name="line-3.zip")).to_contain_text("2 labelled, 2 boxes, 2 not taken")


def test_what_is_dropped_anywhere_is_taken_and_can_be_discarded(alice: Seen, project: str) -> None:
    page = alice.open(f"projects/{project}/imports")
    page.evaluate(
        """data => {
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(data)], "dropped.zip"));
            for (const type of ["dragover", "drop"])
                document.querySelector("h1").dispatchEvent(
                    new DragEvent(type, { dataTransfer: given, bubbles: true, cancelable: true }));
        }""",
        list(ARCHIVE),
    )
    page.wait_for_url("**/imports/*")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Discard").click(timeout=60_000)
    expect(page.get_by_text("dropped.zip is discarded")).to_be_visible()
    expect(page.get_by_role("row", name="dropped.zip")).to_have_count(0)


def test_what_cannot_be_an_archive_is_refused_on_the_spot(alice: Seen, project: str, tmp_path: Path) -> None:
    page = alice.open(f"projects/{project}/imports")
    told = page.get_by_role("alert")
    for name, data, words in (("a.png", photo("a"), "a.png is no zip"), ("empty.zip", b"", "empty.zip is empty")):
        choose(page, tmp_path / name, data)
        expect(told).to_contain_text(words)
    # What only looks like one is refused by its check, with the remedy.
    choose(page, tmp_path / "odd.zip", b"PK but no zip")
    page.wait_for_url("**/imports/*")
    expect(page.get_by_role("alert")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed")
    expect(page.get_by_role("button", name="Import")).to_have_count(0)


def test_a_broken_line_says_so_and_the_same_zip_goes_on(alice: Seen, project: str, tmp_path: Path) -> None:
    page = alice.open(f"projects/{project}/imports")
    page.route("**/myriad", lambda route: route.fulfill(status=403, body="<Error/>"))
    choose(page, tmp_path / "line-3.zip", ARCHIVE)
    expect(page.get_by_role("alert")).to_contain_text("did not reach the storage")
    expect(page.get_by_role("alert")).to_contain_text("choose the same zip again")
    alice.complaints.clear()  # of the refusal, which the browser tells too
    page.unroute("**/myriad")
    choose(page, tmp_path / "line-3.zip", ARCHIVE)
    page.wait_for_url("**/imports/*")
    expect(page.get_by_role("heading", name="What was found")).to_be_visible(timeout=60_000)
    page.goto(f"{alice.base}/projects/{project}/imports")
    expect(page.get_by_role("row", name="line-3.zip")).to_have_count(1)
