"""The isolation matrix: one line an endpoint and method, and one for each further way to name what is another's.

Placeholders are names of `Holdings`. `{project}` is Acme's, whoever asks; the owner's request and the others' are
identical. `{own.project}` is the asking person's. `{p:job}` is a cursor forged from Acme's id, "what is newer",
`{n:job}` "what is older". Every line is asked for by

- Alice, owner of Acme: answers `owner`;
- Vera, viewer there: answers `viewer`;
- Charlie, owner of Bolt Works: answers `stranger` and, where the line names a thing of Acme's, the very bytes
  that he gets for ids of nothing; where it `lists`, his own rows only; where it does neither, what Alice gets;
- a revoked key of an owner of Acme, and nobody: 401.

To add an endpoint, add a line. With both guards disabled every line must leak. One that fails instead (500) needs
`breaks`, one that stays green needs `holds`: a reason each, which is held against what happens.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.isolation.world import Holdings, item, picture

_PLACEHOLDER = re.compile(r"\{([a-z.:]+)\}")


@dataclass(frozen=True)
class Row:
    """One line: see above."""

    method: str
    path: str  # below /api/v1/
    body: Any = None
    owner: int = 200
    viewer: int = 200
    stranger: int = 404
    lists: str = ""
    file: bool = False  # multipart: `picture(…)` as `file`, beside the fields of `body`
    breaks: str = ""
    holds: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> set[str]:
        """Placeholders of Acme's things."""
        found = _PLACEHOLDER.findall(self.path + json.dumps(self.body))
        return {name for name in found if not name.startswith("own.")}

    @property
    def names_things(self) -> bool:
        return any(":" not in name for name in self.names)

    def request(self, *, named: Holdings, own: Holdings) -> tuple[str, str, Any]:
        """(method, address, body), `named` being whose ids stand in it, and `own` who asks."""
        values = dict(named.places()) | {f"own.{name}": value for name, value in own.places()}

        def fill(text: str) -> str:
            return _PLACEHOLDER.sub(lambda match: values[match[1]], text)

        body = json.loads(fill(json.dumps(self.body)))
        if self.file:
            body = body | {"file": SimpleUploadedFile("fresh.png", picture("fresh"), "image/png")}
        return self.method, "/api/v1/" + fill(self.path), body


OPENS_NEW = "writes a new row of the asking tenant's and reads none but the asking member's seat"
WITHIN_PROJECT = "looks only among the rows of the project in the path, which is the caller's own"
WITHIN_IMAGE = "looks only among the versions of the image in the path, which is the caller's own"
WITHIN_SNAPSHOT = "looks only among the exports of the snapshot in the path, which is the caller's own"
OTHERS_SNAPSHOT = "writes a row that names the other tenant's snapshot, which the composite key refuses"
FRESH = {"files": [item("fresh")]}
ARCHIVE = {"filename": "parts.zip", "size": 1, "sha256": "0" * 64}
OTHERS_KEY = "writes a row that names the other tenant's project, which the composite key refuses"
ANOTHERS_ROW = "saves a row of the other tenant's, which the model refuses"
QUOTA = "asks for the tenant's one quota row, and finds more"

ROWS = [
    # tenants/
    Row("GET", "me", breaks=QUOTA),
    Row("GET", "members", lists="member"),
    Row("GET", "members?cursor={p:tenant}", lists="member"),
    Row("GET", "members/{member}"),
    Row("PATCH", "members/{member}", {"role": "ENGINEER"}, viewer=403),
    Row("DELETE", "members/{member}", owner=204, viewer=403, breaks=QUOTA),
    Row("GET", "invitations", lists="invitation", viewer=403),
    Row("GET", "invitations?cursor={n:newest}", lists="invitation", viewer=403),
    Row("POST", "invitations", {"email": "hand@plant.example", "role": "LABELER"}, 201, 403, holds=OPENS_NEW),
    Row("DELETE", "invitations/{invitation}", owner=204, viewer=403),
    Row("GET", "keys", lists="key", viewer=403),
    Row("GET", "keys?cursor={p:tenant}", lists="key", viewer=403),
    Row("POST", "keys", {"name": "robot"}, 201, 403, holds=OPENS_NEW),
    Row("DELETE", "keys/{key}", owner=204, viewer=403),
    Row("GET", "audit", lists="audit", viewer=403),
    Row("GET", "audit?cursor={p:tenant}&limit=500", lists="audit", viewer=403),
    # projects/
    Row("GET", "projects", lists="project"),
    Row("GET", "projects?cursor={p:tenant}", lists="project"),
    Row("GET", "projects?cursor={n:newest}", lists="project"),
    Row("POST", "projects", {"name": "plastics", "kind": "DETECTION"}, 201, 403, breaks=QUOTA),
    Row("GET", "projects/{project}"),
    Row("PATCH", "projects/{project}", {"description": "changed"}, viewer=403),
    Row("DELETE", "projects/{project}", owner=204, viewer=403, breaks=QUOTA),
    Row("GET", "projects/{project}/classes"),
    Row("GET", "projects/{own.project}/classes?cursor={p:tenant}", lists="label", holds=WITHIN_PROJECT),
    Row("POST", "projects/{project}/classes", {"name": "burr"}, 201, 403),
    Row("GET", "classes/{label}"),
    Row("PATCH", "classes/{label}", {"rule": "changed"}, viewer=403),
    Row("DELETE", "classes/{label}", owner=204, viewer=403),
    Row("GET", "projects/{project}/images"),
    Row("GET", "projects/{own.project}/images?class={label}"),
    Row("GET", "projects/{own.project}/images?job={job}"),
    Row("GET", "projects/{own.project}/images?cursor={p:tenant}", lists="image", holds=WITHIN_PROJECT),
    Row("POST", "projects/{project}/images", {"metadata": "{}"}, 202, 403, file=True, breaks=QUOTA),
    Row("POST", "projects/{project}/images/register", FRESH, viewer=403, breaks=QUOTA),
    Row(
        "POST",
        "projects/{own.project}/images/register",
        {"files": [item("fresh", classes=["{label}"])]},
        viewer=403,
        stranger=200,
        breaks=QUOTA,
    ),
    Row("POST", "projects/{project}/uploads", FRESH, viewer=403, breaks=QUOTA),
    Row(
        "POST",
        "projects/{own.project}/uploads",
        {"files": [item("fresh", classes=["{label}"])]},
        viewer=403,
        stranger=200,
        breaks=QUOTA,
    ),
    Row("POST", "projects/{project}/uploads/complete", {"images": ["{awaiting}"]}, 202, 403),
    Row(
        "POST",
        "projects/{own.project}/uploads/complete",
        {"images": ["{awaiting}", "{image}", "{arrived}"]},
        202,
        403,
        stranger=200,
        holds=WITHIN_PROJECT,
    ),
    Row("GET", "images/{image}"),
    Row("PATCH", "images/{image}", {"split": "TEST"}, viewer=403),
    Row(
        "PATCH",
        "images/{own.image}",
        {"classes": ["{label}"]},
        viewer=403,
        holds="a class of another project than the image's is refused as missing",
    ),
    Row("DELETE", "images/{image}", owner=204, viewer=403, breaks=QUOTA),
    Row("GET", "images/{image}/file", owner=302, viewer=302),
    Row("GET", "images/{image}/thumbnail", owner=302, viewer=302),
    Row(
        "POST",
        "projects/{project}/annotations",
        {"annotations": [{"image": "{image}", "boxes": []}]},
        viewer=403,
        breaks="writes a version of the other tenant's image, which the composite key refuses",
    ),
    Row(
        "POST",
        "projects/{own.project}/annotations",
        {"annotations": [{"image": "{image}", "boxes": []}]},
        viewer=403,
        stranger=200,
        holds=WITHIN_PROJECT,
    ),
    Row(
        "POST",
        "projects/{own.project}/annotations",
        {"annotations": [{"image": "{own.image}", "boxes": [{"class": "{label}", "bbox": [1, 2, 3, 4]}]}]},
        viewer=403,
        stranger=200,
        holds=WITHIN_PROJECT,
    ),
    Row("GET", "images/{image}/annotations"),
    Row("GET", "images/{own.image}/annotations?cursor={p:tenant}", lists="annotation", holds=WITHIN_IMAGE),
    Row("GET", "annotations/{annotation}"),
    Row("GET", "projects/{project}/statistics"),
    Row("GET", "projects/{project}/snapshots"),
    Row("GET", "projects/{own.project}/snapshots?cursor={p:tenant}", lists="snapshot", holds=WITHIN_PROJECT),
    Row("POST", "projects/{project}/snapshots", {"note": "fresh"}, 202, 403, breaks=OTHERS_KEY),
    Row("GET", "snapshots/{snapshot}"),
    Row("GET", "snapshots/{snapshot}/diff?against={snapshot}"),
    Row("GET", "snapshots/{own.snapshot}/diff?against={snapshot}"),
    Row("GET", "snapshots/{snapshot}/manifest", owner=302, viewer=302),
    Row("GET", "snapshots/{snapshot}/coco", owner=302, viewer=302),
    Row("GET", "snapshots/{snapshot}/exports"),
    Row("GET", "snapshots/{own.snapshot}/exports?cursor={p:tenant}", lists="export", holds=WITHIN_SNAPSHOT),
    Row("POST", "snapshots/{snapshot}/exports", {"format": "YOLO"}, 202, 403, breaks=OTHERS_SNAPSHOT),
    Row("GET", "exports/{export}"),
    Row("GET", "exports/{export}/file", owner=302, viewer=302),
    Row("GET", "projects/{project}/imports"),
    Row("GET", "projects/{own.project}/imports?cursor={p:tenant}", lists="imported", holds=WITHIN_PROJECT),
    Row("POST", "projects/{project}/imports", ARCHIVE, 201, 403, breaks=OTHERS_KEY),
    Row("GET", "imports/{reported}"),
    Row("DELETE", "imports/{imported}", owner=204, viewer=403),
    Row("POST", "imports/{arriving}/check", owner=202, viewer=403),
    Row(
        "POST", "imports/{reported}/commit", {}, 202, 403, breaks="its job is the caller's, which the row's key refuses"
    ),
    Row("GET", "imports/{imported}/results", owner=302, viewer=302),
    # training/
    Row("GET", "projects/{project}/runs"),
    Row("GET", "projects/{own.project}/runs?cursor={p:tenant}", lists="run", holds=WITHIN_PROJECT),
    Row("POST", "projects/{project}/runs", {"snapshot": "{snapshot}"}, 202, 403, breaks=OTHERS_KEY),
    Row("POST", "projects/{own.project}/runs", {"snapshot": "{snapshot}"}, 202, 403, holds=WITHIN_PROJECT),
    Row("GET", "runs/{run}"),
    Row("POST", "runs/{waiting}/cancel", viewer=403),
    Row("GET", "projects/{project}/models"),
    Row("GET", "projects/{own.project}/models?cursor={p:tenant}", lists="model", holds=WITHIN_PROJECT),
    Row("GET", "models/{model}"),
    Row("GET", "models/{model}/predictions", owner=302, viewer=302),
    Row("GET", "models/{model}/compare?with={model}"),
    Row("GET", "models/{model}/operating"),
    Row("GET", "models/{own.model}/compare?with={model}"),
    Row("POST", "models/{plain}/export", owner=202, viewer=403),
    Row("GET", "models/{model}/export/onnx", owner=302, viewer=302),
    Row("GET", "models/{model}/export/manifest", owner=302, viewer=302),
    # fleet/
    Row("POST", "models/{model}/promote", viewer=403),
    Row("POST", "models/{plain}/promote", None, 201, 403, breaks=OTHERS_KEY),
    Row("GET", "projects/{project}/promotions"),
    Row("GET", "projects/{own.project}/promotions?cursor={p:tenant}", lists="promotion", holds=WITHIN_PROJECT),
    Row("POST", "models/{model}/predict", {"image": "{own.image}"}, viewer=403),
    Row("POST", "models/{model}/predict", {}, viewer=403, file=True),
    Row("POST", "models/{own.model}/predict", {"image": "{image}"}, viewer=403),
    Row("POST", "projects/{project}/predict", {"image": "{own.image}"}, viewer=403),
    Row("POST", "projects/{own.project}/predict", {"image": "{image}"}, viewer=403),
    # workers/
    Row("GET", "jobs", lists="job"),
    Row("GET", "jobs?cursor={p:tenant}&kind=ingest&state=PENDING", lists="job"),
    Row("GET", "jobs/{job}"),
    Row("POST", "jobs/{job}/cancel", viewer=403),
]

# Routes without a key, and why. Only these may stand outside `TenantView`.
PUBLIC: Mapping[str, str] = {
    "healthz": "says that the process is up, and nothing else",
    "readyz": "names the parts that answer and counts workers; no tenant's data",
    "api/v1/schema": "the OpenAPI document; it stands in the repository",
    "api/v1/docs": "the page that shows it; whoever tries something out types a key in",
    "api/v1/invitations/accept": "whoever holds an invitation's token has no key yet; see test_invitations",
}
