"""Photographs sent from a page straight to S3: each file's fate is told, and what was broken off goes on."""

import io
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.site import Seen, Site
from tests.projects.files import encoded, photographs, picture

CHOOSE = ".uppy-Dashboard-input >> nth=0"
SEND = ".uppy-StatusBar-actionBtn--upload"


@pytest.fixture
def project(site: Site) -> str:
    made = site.ask("alice", "POST", "projects", {"name": f"Casings {uuid.uuid4().hex[:8]}", "kind": "DETECTION"})
    return str(made["id"])


def written(folder: Path, count: int) -> list[Path]:
    """So many good photographs."""
    paths = []
    for file in photographs(count):
        paths.append(folder / file.name)
        paths[-1].write_bytes(file.data)
    return paths


def choose(page: Page, *paths: Path) -> None:
    page.wait_for_selector(CHOOSE, state="attached")
    page.set_input_files(CHOOSE, paths)


def send(page: Page, *paths: Path) -> None:
    """Chooses files, sends them, and waits until the fate of each is known."""
    choose(page, *paths)
    page.click(SEND)
    expect(page.locator("#outcome-title")).to_contain_text("Done", timeout=60_000)


def images(site: Site, project: str, query: str = "") -> dict[str, str]:
    """Name → state of the project's images."""
    found = site.ask("alice", "GET", f"projects/{project}/images?limit=100{query}")["results"]
    return {image["filename"]: image["status"] for image in found}


def test_ten_files_one_of_them_corrupt(site: Site, alice: Seen, project: str, tmp_path: Path) -> None:
    good = written(tmp_path, 9)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(encoded(picture("broken"))[:400])
    page = alice.open(f"projects/{project}/upload")
    page.fill("[name=camera]", "7")
    page.check("[name=grouping][value=group]")
    page.fill("[name=group]", "A-1042")
    send(page, *good, broken)

    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("9 taken in")
    expect(outcome).to_contain_text("1 not taken")
    (line,) = outcome.locator("tbody tr").all()
    expect(line).to_contain_text("broken.jpg is cut short")
    expect(line).to_contain_text("Copy it from the camera again")
    alice.shot("upload")
    assert images(site, project, "&meta.camera=7") == {path.name: "READY" for path in good} | {"broken.jpg": "FAILED"}
    splits = site.ask("alice", "GET", f"projects/{project}/images?status=READY")["results"]
    assert {(image["group"], image["split"]) for image in splits} == {("A-1042", splits[0]["split"])}

    outcome.get_by_role("link", name="See the images").click()
    expect(page.locator("[data-card] img")).to_have_count(9)
    page.goto(f"{alice.base}/projects/{project}/images?status=FAILED")
    expect(page.locator("tbody")).to_contain_text("Copy it from the camera again")


def test_what_is_there_already_is_not_sent_again(site: Site, alice: Seen, project: str, tmp_path: Path) -> None:
    first, second = written(tmp_path, 2)
    page = alice.open(f"projects/{project}/upload")
    send(page, first)
    page.reload()
    send(page, first, second)
    expect(page.locator("#outcome")).to_contain_text("1 taken in")
    expect(page.locator("#outcome")).to_contain_text("1 here already, not sent again")
    assert set(images(site, project).values()) == {"READY"}


def test_a_large_file_goes_in_parts(site: Site, alice: Seen, project: str, tmp_path: Path) -> None:
    large = tmp_path / "large.bmp"
    drawn = picture("large", 2600, 2400)
    buffer = io.BytesIO()
    drawn.save(buffer, format="BMP")
    large.write_bytes(buffer.getvalue())
    assert large.stat().st_size > 16 * 1024 * 1024
    page = alice.open(f"projects/{project}/upload")
    send(page, large)
    expect(page.locator("#outcome")).to_contain_text("1 taken in")
    assert images(site, project) == {"large.bmp": "READY"}


def test_what_was_canceled_goes_on_after_a_reload(site: Site, alice: Seen, project: str, tmp_path: Path) -> None:
    paths = written(tmp_path, 3)
    page = alice.open(f"projects/{project}/upload")
    held: list[Route] = []

    def is_storage(url: str) -> bool:
        return not url.startswith(site.url)

    page.route(is_storage, lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    choose(page, *paths)
    page.click(SEND)
    expect(page.locator("#outcome")).to_contain_text("3 to send")
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.locator("#outcome-title")).to_have_text("Canceled")
    page.unroute_all(behavior="ignoreErrors")
    assert held
    assert set(images(site, project).values()) == {"AWAITING"}

    page.reload()
    expect(page.get_by_text("Some files of an earlier upload were not sent.")).to_be_visible()
    send(page, *paths)
    expect(page.locator("#outcome")).to_contain_text("3 taken in")
    assert images(site, project) == {path.name: "READY" for path in paths}


def test_a_file_that_is_no_image_is_named_and_the_others_go(
    site: Site, alice: Seen, project: str, tmp_path: Path
) -> None:
    (good,) = written(tmp_path, 1)
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    page = alice.open(f"projects/{project}/upload")
    send(page, good, notes)
    expect(page.locator("#outcome")).to_contain_text("1 taken in")
    expect(page.locator("#outcome")).to_contain_text("notes.txt")
    assert images(site, project) == {good.name: "READY"}


def test_what_did_not_get_through_is_tried_again_by_a_click(
    site: Site, alice: Seen, project: str, tmp_path: Path
) -> None:
    paths = written(tmp_path, 2)
    page = alice.open(f"projects/{project}/upload")
    page.route(lambda url: not url.startswith(site.url), lambda route: route.abort())
    send(page, *paths)
    expect(page.locator("#outcome")).to_contain_text("2 not taken")
    expect(page.locator("#outcome tbody tr").first).to_contain_text("did not reach the storage")
    page.unroute_all()
    page.locator(".uppy-StatusBar-actionBtn--retry").click()
    expect(page.locator("#outcome")).to_contain_text("2 taken in", timeout=60_000)
    expect(page.locator("#outcome-title")).to_have_text("Done")
    assert images(site, project) == {path.name: "READY" for path in paths}
    # The browser tells of every request that fails.
    alice.complaints.clear()
