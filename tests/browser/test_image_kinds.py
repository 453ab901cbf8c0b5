"""Models that judge whole images, really trained, on their pages: figures, mistakes, and a photograph tried."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.furnishing import PATIENCE, _until
from tests.browser.site import Seen, Site
from tests.browser.test_looks import LOOKS, faults_of, settled

GOOD, DENTED = 12, 6


@dataclass(frozen=True)
class Learnt:
    """A project of a kind, one of its images, and the model that a run has published."""

    kind: str
    project: str
    image: str
    run: str
    model: str


def photograph(number: int, *, dented: bool) -> bytes:
    """Grey metal that no other picture shows again; with a dent, or without."""
    draw = np.random.default_rng(number)
    pixels = np.clip(draw.normal(150, 12, (240, 320, 3)), 0, 255).astype(np.uint8)
    if dented:
        x, y = draw.integers(40, 220), draw.integers(40, 140)
        pixels[y : y + 60, x : x + 60] = (190, 60, 40)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def learn(site: Site, kind: str, folder: Path) -> Learnt:
    """Does by the API what a person would do in a morning."""
    project = site.ask("alice", "POST", "projects", {"name": kind.title(), "kind": kind})["id"]
    site.ask("alice", "POST", f"projects/{project}/classes", {"name": "dent"})
    files = []
    for number in range(GOOD + DENTED):
        files.append(folder / f"{kind.lower()}-{'dent' if number >= GOOD else 'good'}-{number}.png")
        files[-1].write_bytes(photograph(number, dented=number >= GOOD))
    with site.client("alice") as api:
        report = api.images.upload(project, files, split="TRAIN")
        assert len(api.images.wait(report, timeout=PATIENCE).ready) == len(files)
        rows = list(api.images.list(project))
        items = [{"image": row.id, "class": "dent" if "dent" in row.filename else None} for row in rows]
        assert {result.outcome for result in api.annotations.write(project, items)} == {"CREATED"}
    snapshot = site.ask("alice", "POST", f"projects/{project}/snapshots", {})["id"]
    _until(lambda: site.ask("alice", "GET", f"snapshots/{snapshot}")["status"] == "READY")
    run = site.ask("alice", "POST", f"projects/{project}/runs", {"snapshot": snapshot})["id"]
    _until(lambda: site.ask("alice", "GET", f"runs/{run}")["state"] not in ("PENDING", "RUNNING", "DISPATCHED"))
    shown = site.ask("alice", "GET", f"runs/{run}")
    assert shown["model"], shown
    return Learnt(kind, project, rows[0].id, run, shown["model"])


@pytest.fixture(scope="module")
def learnt(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[Learnt]:
    site.manage("backbone")
    return [learn(site, kind, tmp_path_factory.mktemp(kind)) for kind in ("CLASSIFICATION", "ANOMALY")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("look", LOOKS)
def test_every_page_stands_and_everybody_can_use_it(
    look: str, site: Site, browser: Browser, learnt: list[Learnt]
) -> None:
    faults: dict[str, list[str]] = {}
    with site.browsing(browser, "alice", **LOOKS[look]) as seen:
        for one in learnt:
            pages = {
                "project": f"projects/{one.project}",
                "images": f"projects/{one.project}/images",
                "image": f"images/{one.image}",
                "runs": f"projects/{one.project}/runs",
                "run": f"runs/{one.run}",
                "models": f"projects/{one.project}/models",
                "model": f"models/{one.model}",
                "predictions": f"models/{one.model}/predictions",
            }
            for name, path in pages.items():
                page = seen.open(path)
                settled(page)
                seen.shot(f"{one.kind.lower()}-{name}-{look}")
                found = faults_of(page) + seen.complaints
                seen.complaints.clear()
                if found:
                    faults[f"{one.kind} {name}"] = found
    assert not faults, faults


def try_photograph(seen: Seen, model: str, folder: Path, answer: dict[str, Any]) -> Page:
    """Chooses one on the model's page, for which the server's half answers this: tests/fleet has the real one."""
    said = {"model": model, "image": None, "width": 320, "height": 240, "predictions": [], "seconds": {"compute": 0.25}}
    seen.page.route(f"{seen.base}/api/models/{model}/predict?**", lambda route: route.fulfill(json=said | answer))
    page = seen.open(f"models/{model}")
    (folder / "new.png").write_bytes(photograph(99, dented=True))
    page.locator("#try input[type=file]").set_input_files(folder / "new.png")
    return page


def test_a_photograph_is_told_by_a_classifier(alice: Seen, learnt: list[Learnt], tmp_path: Path) -> None:
    shares = [{"class": None, "name": "good", "probability": 0.1}, {"class": "c", "name": "dent", "probability": 0.9}]
    page = try_photograph(alice, learnt[0].model, tmp_path, {"kind": "CLASSIFICATION", "probabilities": shares})
    expect(page.locator("#try [data-says]")).to_have_text("It shows: dent; it took 0.25 s.")
    expect(page.locator("#try [data-result] li")).to_have_text(["dent0.90", "good0.10"])
    expect(page.locator("#try input[type=range]")).to_have_count(0)
    alice.shot("try-classification")


def test_what_looks_odd_is_shown_where_it_is(alice: Seen, learnt: list[Learnt], tmp_path: Path) -> None:
    odd = {"kind": "ANOMALY", "score": 0.8, "threshold": 0.5, "anomalous": True, "heat": [[0.1, 0.9], [0.3, 0.6]]}
    page = try_photograph(alice, learnt[1].model, tmp_path, odd)
    expect(page.locator("#try [data-says]")).to_have_text(
        "Something is odd: score 0.80, odd from 0.50 on; it took 0.25 s."
    )
    places = page.locator("#try [data-result] svg rect")
    sides = "(all) => all.map((one) => ['x', 'y', 'width', 'height'].map((side) => Number(one.getAttribute(side))))"
    assert places.evaluate_all(sides) == [[160, 0, 160, 120], [160, 120, 160, 120]]
    alice.shot("try-anomaly")
    page.locator("#try [data-heat]").uncheck()
    expect(places).to_have_count(0)
