"""The main requests of the API, each by a tenant drawn by chance."""

import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.benchmarks.load import Request
from tests.benchmarks.population import Resident

# Of one registration among the others, where many are measured, and of one that is to be fast.
FILES_A_CALL = 100
# Makes one request of a tenant; chance picks what it is about.
Make = Callable[[Resident, random.Random], Request]

_serial: Iterator[int] = itertools.count()


def get(path: str) -> Make:
    """A read; `{project}` and `{image}` in the path are the tenant's."""

    def make(resident: Resident, chance: random.Random) -> Request:
        filled = path.format(project=resident.project, image=resident.labelled[0])
        return Request("GET", f"/api/v1/{filled}", resident.key)

    return make


def create_project(resident: Resident, chance: random.Random) -> Request:
    return _post("projects", resident, {"name": f"New {next(_serial)}", "kind": "DETECTION"}, expect=201)


def create_class(resident: Resident, chance: random.Random) -> Request:
    project = chance.choice(resident.others)
    return _post(f"projects/{project}/classes", resident, {"name": f"new {next(_serial)}"}, expect=201)


def annotate(resident: Resident, chance: random.Random) -> Request:
    """A correction: another version, of two boxes, of an image that is annotated already."""
    boxes = [{"class": f"class {label}", "bbox": [chance.uniform(0, 300), 20, 100, 50]} for label in (1, 2)]
    items = [{"image": chance.choice(resident.labelled[1:]), "boxes": boxes}]
    return _post(f"projects/{resident.project}/annotations", resident, {"annotations": items})


def register(resident: Resident, chance: random.Random, *, files: int = FILES_A_CALL) -> Request:
    call = next(_serial)
    listed = [_file(call, row) for row in range(files)]
    return _post(f"projects/{chance.choice(resident.others)}/images/register", resident, {"files": listed})


# Lists have 20 rows and more behind them. What is made goes where no list of these looks, or stands behind its page,
# so that many requests to ten tenants do not make those larger than ten thousand that were asked once.
MAIN: dict[str, Make] = {
    "me": get("me"),
    "projects": get("projects?limit=20"),
    "images": get("projects/{project}/images?limit=20"),
    "images by status": get("projects/{project}/images?limit=20&status=READY&split=TRAIN"),
    "images by metadata": get("projects/{project}/images?limit=20&meta.camera=3"),
    "classes": get("projects/{project}/classes?limit=20"),
    "jobs": get("jobs?limit=20"),
    "audit": get("audit?limit=20"),
    "members": get("members?limit=20"),
    "keys": get("keys?limit=20"),
    "one image": get("images/{image}"),
    "annotations": get("images/{image}/annotations?limit=20"),
    "create project": create_project,
    "create class": create_class,
    "annotate": annotate,
    "register 100": register,
}


def drawn(make: Make, residents: Sequence[Resident], *, count: int, chance: random.Random) -> list[Request]:
    """That many requests, each of a tenant drawn by chance."""
    return [make(resident, chance) for resident in chance.choices(residents, k=count)]


def _post(path: str, resident: Resident, body: dict[str, Any], *, expect: int = 200) -> Request:
    return Request("POST", f"/api/v1/{path}", resident.key, json.dumps(body).encode(), (expect,))


def _file(call: int, row: int) -> dict[str, object]:
    return {
        "filename": f"bulk_{call}_{row}.jpg",
        "size": 200_000,
        "sha256": hashlib.sha256(f"{call} {row}".encode()).hexdigest(),
        "content_type": "image/jpeg",
        "metadata": {"camera": row % 5, "shift": "night"},
    }
