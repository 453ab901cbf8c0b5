"""How long until a page of the web admin is usable, in a project of ten thousand images?

A real Chromium on the stack that `make up` starts, signed in as the project's owner, opens each main page in turns; the
browser itself tells (Navigation Timing) when the document was ready and when everything that it shows at first had
loaded. `ratio` is the slowest page's median over one second.
Usage: python -m tests.benchmarks.pages [--images 10000] [--rounds 5] [--json]
"""

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import psycopg2
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Page

from deploy.demo.casings import generate
from myriad import Client
from tests.benchmarks.population import Resident, analyze, populate
from tests.benchmarks.stack import Stack, running_stack
from tests.browser.windows import WIDE, chromium, sign_in

# The newest images are real photographs: as many as the gallery shows at a time.
SHOWN = 60
LIMIT_SECONDS = 1.0
PASSWORD = "correct horse battery staple"
PAGES = {
    "projects": "projects",
    "project": "projects/{project}",
    "gallery": "projects/{project}/images",
    "unlabelled": "projects/{project}/images?labelled=false&status=READY",
    "image": "images/{image}",
    "upload": "projects/{project}/upload",
    "imports": "projects/{project}/imports",
    "snapshots": "projects/{project}/snapshots",
    "runs": "projects/{project}/runs",
    "models": "projects/{project}/models",
    "members": "members",
    "audit": "audit",
}
# The others show what the real ones do: their own were never made.
_REAL_THUMBNAILS = """
WITH made AS (SELECT array_agg(thumbnail_sha256) AS hashes FROM projects_image WHERE filename LIKE 'casing-%')
UPDATE projects_image SET thumbnail_sha256 = hashes[1 + (hashtext(id::text) & 31)] FROM made
  WHERE filename NOT LIKE 'casing-%'
"""
TIMING = """async () => {
    await new Promise((done) => setTimeout(done)); // the load event is to have ended
    const told = performance.getEntriesByType("navigation")[0];
    return [told.responseEnd, told.domContentLoadedEventEnd, told.loadEventEnd];
}"""


def furnish(stack: Stack, *, images: int, folder: Path) -> tuple[Resident, str]:
    """A tenant whose owner can sign in, its project with so many images; and the newest of these."""
    resident = populate(stack.env["DATABASE_MAINT_URL"], first=1, last=1, images=images - SHOWN)[0]
    analyze(stack.env["DATABASE_OWNER_URL"])
    password = PBKDF2PasswordHasher().encode(PASSWORD, "salt of a benchmark")
    with closing(psycopg2.connect(stack.env["DATABASE_MAINT_URL"])) as connection, connection:
        connection.cursor().execute("UPDATE tenants_user SET password = %s", [password])
    files = [folder / f"casing-{index:02}.jpg" for index in range(SHOWN)]
    for index, path in enumerate(files):
        buffer = io.BytesIO()
        generate(seed=3, index=index, size=(1024, 768)).image.save(buffer, "JPEG", quality=90)
        path.write_bytes(buffer.getvalue())
    with Client(stack.url, resident.key) as api:
        ready = api.images.wait(api.images.upload(resident.project, files)).ready
        if len(ready) != SHOWN:
            raise RuntimeError(f"{len(ready)} of {SHOWN} photographs are ready")
        newest = next(iter(api.images.list(resident.project)))
    with closing(psycopg2.connect(stack.env["DATABASE_MAINT_URL"])) as connection, connection:
        connection.cursor().execute(_REAL_THUMBNAILS)
    return resident, newest.id


def times(page: Page, addresses: dict[str, str], *, rounds: int) -> dict[str, list[list[float]]]:
    """Seconds of each page, a round a line: answered, document ready, all loaded. The first round is not counted."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name, address in addresses.items():
            answer = page.goto(address, wait_until="load")
            if answer is None or not answer.ok:
                raise RuntimeError(f"{name}: {answer and answer.status}")
            if turn:
                found[name].append([moment / 1000 for moment in page.evaluate(TIMING)])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with running_stack() as stack, tempfile.TemporaryDirectory() as name, chromium() as browser:
        resident, image = furnish(stack, images=options.images, folder=Path(name))
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
        sign_in(page, stack.url, "owner-1@example.com", PASSWORD)
        base = f"{stack.url}/t/tenant-1"
        ids = {"project": resident.project, "image": image}
        addresses = {place: f"{base}/{path.format(**ids)}" for place, path in PAGES.items()}
        found = times(page, addresses, rounds=options.rounds)
    medians = {place: [statistics.median(told) for told in zip(*lines, strict=True)] for place, lines in found.items()}
    print(f"{'page':<12} answered    ready   loaded, s; medians of {options.rounds}, {options.images} images")
    for place, (answered, ready, loaded) in medians.items():
        print(f"{place:<12} {answered:8.3f} {ready:8.3f} {loaded:8.3f}")
    slowest = max(medians, key=lambda name: medians[name][2])
    ratio = medians[slowest][2] / LIMIT_SECONDS
    well = ratio <= 1
    verdict = "well" if well else "MISSED"
    print(f"slowest: {slowest}, {ratio:.2f} of {LIMIT_SECONDS:.0f} s on {os.cpu_count()} cores; {verdict}")
    if options.json:
        answer = {
            "ratio": round(ratio, 3),
            "against": "1 s until the slowest page has loaded",
            "slowest": slowest,
            "seconds": {name: round(moments[2], 3) for name, moments in medians.items()},
        }
        print(json.dumps(answer))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
