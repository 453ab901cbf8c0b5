"""A project as it stands after its first day: photographs, labels, a snapshot, a run, a model, an archive to import."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
from PIL import Image

from deploy.demo.casings import Casing, generate
from tests.browser.boards import HEIGHT, WIDTH
from tests.browser.site import Site
from tests.chaos.ground import until
from tests.projects.archives.zips import yolo_zip

COUNT, LABELLED = 14, 12
# Seconds that a run or a check may take on a machine with other work.
PATIENCE = 240


@dataclass(frozen=True)
class Furnished:
    """Ids of Acme's."""

    project: str
    image: str  # labelled
    importing: str  # checked, with problems
    snapshot: str
    run: str
    model: str  # what the run published; it answers for the project


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def furnish(site: Site, folder: Path) -> Furnished:
    """Does by the API what a person would do in a morning; the training is a real, brief one."""
    site.manage("backbone")
    made = site.ask("alice", "POST", "projects", {"name": "Casings, line 2", "kind": "DETECTION"})
    project = made["id"]
    casings = [generate(seed=5, index=index, size=(WIDTH, HEIGHT)) for index in range(COUNT)]
    _label_book(site, project, casings)
    images = _photographs(site, project, casings, folder)
    snapshot = site.ask("alice", "POST", f"projects/{project}/snapshots", {"note": "The first twelve"})["id"]
    _until(lambda: site.ask("alice", "GET", f"snapshots/{snapshot}")["status"] == "READY")
    run = site.ask("alice", "POST", f"projects/{project}/runs", {"recipe": "fast", "snapshot": snapshot})["id"]
    importing = _checked(site, project)
    _until(lambda: site.ask("alice", "GET", f"runs/{run}")["state"] not in ("PENDING", "RUNNING", "DISPATCHED"))
    model = site.ask("alice", "GET", f"runs/{run}")["model"]
    assert model, site.ask("alice", "GET", f"runs/{run}")
    site.ask("alice", "POST", f"models/{model}/promote", {})
    site.ask("alice", "POST", "invitations", {"email": "eve@acme.example", "role": "VIEWER"})
    return Furnished(project, images[0], importing, snapshot, run, model)


def _label_book(site: Site, project: str, casings: list[Casing]) -> None:
    colors = iter(("#d97706", "#0891b2", "#c026d3", "#65a30d"))
    for name in sorted({box.label for casing in casings for box in casing.boxes}):
        said = {"name": name, "definition": f"What counts as a {name.replace('_', ' ')}.", "color": next(colors)}
        site.ask("alice", "POST", f"projects/{project}/classes", said)


def _photographs(site: Site, project: str, casings: list[Casing], folder: Path) -> list[str]:
    """Uploads them, with one that is broken, and labels most; ids of those that are labelled, with boxes first."""
    files = {folder / f"casing-{place:02}.jpg": casing for place, casing in enumerate(casings)}
    for path, casing in files.items():
        path.write_bytes(jpeg(casing.image))
    broken = folder / "broken.jpg"
    broken.write_bytes(next(iter(files)).read_bytes()[:2000])
    with site.client("alice") as api:
        report = api.images.upload(project, [broken, *files], metadata={"camera": 3, "line": "2"})
        assert len(api.images.wait(report, timeout=PATIENCE).ready) == COUNT
    rows = site.ask("alice", "GET", f"projects/{project}/images?status=READY&limit=100")["results"]
    named = {path.name: casing for path, casing in files.items()}
    rows = sorted(rows, key=lambda row: -len(named[row["filename"]].boxes))[:LABELLED]
    items = []
    for row in rows:
        drawn = [{"class": b.label, "bbox": [b.x, b.y, b.width, b.height]} for b in named[row["filename"]].boxes]
        items.append({"image": row["id"], "boxes": drawn})
    site.ask("alice", "POST", f"projects/{project}/annotations", {"annotations": items})
    return [row["id"] for row in rows]


def send_archive(site: Site, project: str, data: bytes, *, filename: str = "line-3.zip") -> str:
    """Announces and sends an archive; the import's id."""
    said = {"filename": filename, "size": len(data), "sha256": sha256(data).hexdigest()}
    made = site.ask("alice", "POST", f"projects/{project}/imports", said)
    form = made["upload"]
    httpx.post(form["url"], data=form["fields"], files={"file": data}).raise_for_status()
    return str(made["id"])


def _checked(site: Site, project: str) -> str:
    lines = {
        "a.png": "0 0.5 0.5 0.4 0.4\n1 0.95 0.5 0.2 0.2\n",
        "b.png": "1 0.3 0.3 0.2 0.2\n",
        "c.png": "",
        "d.png": None,
    }
    more: dict[str, bytes | str] = {
        "labels/train/gone.txt": "0 0.5 0.5 0.2 0.2\n",
        "images/train/broken.png": b"no picture",
        "notes.docx": b"-",
    }
    data = yolo_zip(lines, names="names: [dent, burr]\n", more=more)
    made = send_archive(site, project, data)
    site.ask("alice", "POST", f"imports/{made}/check", {})
    _until(lambda: site.ask("alice", "GET", f"imports/{made}")["status"] == "CHECKED")
    return made


def _until(is_so: Callable[[], object]) -> None:
    until(is_so, seconds=PATIENCE, every=0.3)
