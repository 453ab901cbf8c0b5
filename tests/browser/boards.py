"""Photographs in the service, and a hand on the editor's canvas."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.site import Site

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Drawer:
    """A project of Acme's with photographs of 640 × 480 pixels, oldest first, and the class ids of its label book."""

    site: Site
    project: str
    classes: dict[str, str]
    images: list[str]

    def annotate(self, image: str, *boxes: tuple[str, list[float]], who: str = "alice") -> None:
        """Another version of what is said of the image."""
        drawn = [{"class": self.classes[name], "bbox": bbox} for name, bbox in boxes]
        body = {"annotations": [{"image": image, "boxes": drawn}]}
        answer = self.site.ask(who, "POST", f"projects/{self.project}/annotations", body)
        assert answer["results"][0]["status"] == "CREATED", answer

    def versions(self, image: str) -> list[list[tuple[str, list[float]]]]:
        """What was said of it, newest first: name and place of each box."""
        answer = self.site.ask("alice", "GET", f"images/{image}/annotations")
        return [[(box["name"], box["bbox"]) for box in version["boxes"]] for version in answer["results"]]


def drawer(site: Site, folder: Path, *, name: str, count: int = 3) -> Drawer:
    """Makes the project and ingests its photographs."""
    made = site.ask("alice", "POST", "projects", {"name": name, "kind": "DETECTION"})
    path, classes = f"projects/{made['id']}/classes", {}
    for label, color in (("scratch", "#0ea5e9"), ("dent", "#e11d48")):
        classes[label] = site.ask("alice", "POST", path, {"name": label, "color": color})["id"]
    files = [folder / f"part-{number}.png" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(photograph(number, name))
    with site.client("alice") as api:
        report = api.images.upload(made["id"], files, metadata={"camera": 3, "line": "A"}, split="TRAIN")
        assert len(api.images.wait(report, timeout=60).ready) == count
    rows = site.ask("alice", "GET", f"projects/{made['id']}/images")["results"]
    return Drawer(site, made["id"], classes, [row["id"] for row in reversed(rows)])


def photograph(number: int, name: str) -> bytes:
    """Like no other."""
    drawn = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    drawn.paste((number * 40 % 255, len(name), 160), (20 * number, 30, 20 * number + 60, 90))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Hand:
    """A mouse on the canvas. Points are pixels of the photograph, which fits the window."""

    page: Page

    def at(self, x: float, y: float) -> tuple[float, float]:
        frame = self.page.locator("#board").bounding_box()
        assert frame is not None
        scale = min(frame["width"] / WIDTH, frame["height"] / HEIGHT)
        left = frame["x"] + (frame["width"] - WIDTH * scale) / 2
        top = frame["y"] + (frame["height"] - HEIGHT * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        self.page.mouse.move(*self.at(*end))
        self.page.mouse.up()

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))


def boxes(page: Page) -> Any:
    """The rows of the list beside the canvas."""
    return page.locator("#boxes > li")


def number(page: Page, side: str) -> float:
    """A side of the selected box, as its field shows it."""
    return float(page.locator(f"#boxes [data-side={side}]").input_value())


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.locator("#notice")).to_contain_text("Saved.")
