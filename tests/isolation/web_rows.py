"""The matrix of pages: one line a page and method, and what its form holds. See `rows` for the placeholders.

A page is asked for below the address of a tenant, with a session instead of a key:

- Alice, owner of Acme, at Acme's address: answers `owner`;
- Vera, viewer there: answers `viewer`;
- Charlie, owner of Bolt Works, at Bolt's address with ids of Acme's: answers `stranger`, the very bytes that he gets
  for ids of nothing; and at Acme's address: 404, the very bytes that he gets for an address of no tenant;
- nobody: led to the sign-in, or where a script asks (`api/…`), 401.

To add a page, add a line. As in `rows`, each line leaks with both guards disabled, or says why not.
"""

from dataclasses import dataclass
from typing import Any

from tests.isolation.rows import ARCHIVE, FRESH, OTHERS_KEY, OTHERS_SNAPSHOT, QUOTA, WITHIN_PROJECT, Row
from tests.isolation.world import Holdings


@dataclass(frozen=True)
class PageRow(Row):
    """`path` is below /t/<slug>/; `body` is a form's fields, or below api/ JSON."""

    def request(self, *, named: Holdings, own: Holdings) -> tuple[str, str, Any]:
        method, address, body = super().request(named=named, own=own)
        return method, address.removeprefix("/api/v1/"), body

    @property
    def is_api(self) -> bool:
        return self.path.startswith("api/")


OTHERS_JOB = "its job is the caller's, which the row's key refuses"

PAGE_ROWS = [
    # tenants/
    PageRow("GET", "members"),
    PageRow("POST", "members", {"email": "hand@plant.example", "role": "LABELER"}, viewer=403),
    PageRow("POST", "members/{member}", {"role": "ENGINEER"}, 302, 403),
    PageRow("POST", "members/{member}", {"do": "remove"}, 302, 403, breaks=QUOTA),
    PageRow("POST", "invitations/{invitation}", {}, 302, 403),
    PageRow("GET", "keys", viewer=403),
    PageRow("POST", "keys", {"name": "robot", "days": "30"}, viewer=403),
    PageRow("POST", "keys/{key}", {}, 302, 403),
    PageRow("GET", "audit", viewer=403),
    # projects/
    PageRow("GET", "projects"),
    PageRow("POST", "projects", {"name": "plastics", "kind": "DETECTION"}, 302, 403, breaks=QUOTA),
    PageRow("GET", "projects/{project}"),
    PageRow("POST", "projects/{project}", {"name": "renamed", "description": "changed"}, 302, 403),
    PageRow("POST", "projects/{project}", {"do": "delete", "confirm": "Acme housings"}, 302, 403, breaks=QUOTA),
    PageRow("GET", "projects/{project}/classes"),
    PageRow("POST", "projects/{project}/classes", {"name": "burr"}, 302, 403),
    PageRow("GET", "classes/{label}"),
    PageRow("POST", "classes/{label}", {"name": "burr", "rule": "changed"}, 302, 403),
    PageRow("POST", "classes/{label}", {"do": "delete"}, 302, 403),
    PageRow("GET", "projects/{project}/images"),
    PageRow("GET", "projects/{own.project}/images?class={label}"),
    PageRow("GET", "projects/{own.project}/images?cursor={p:tenant}", holds=WITHIN_PROJECT),
    PageRow("POST", "projects/{project}/images", {"do": "TEST", "image": ["{image}"]}, 302, 403),
    PageRow("POST", "projects/{project}/images", {"do": "delete", "image": ["{image}"]}, 302, 403, breaks=QUOTA),
    PageRow(
        "POST",
        "projects/{own.project}/images",
        {"do": "TEST", "image": ["{image}"]},
        302,
        403,
        holds=WITHIN_PROJECT,
    ),
    PageRow("GET", "projects/{project}/upload", viewer=403),
    PageRow("GET", "images/{image}"),
    PageRow("GET", "api/images/{image}/file", owner=302, viewer=302),
    PageRow("GET", "api/images/{image}/thumbnail", owner=302, viewer=302),
    PageRow("GET", "api/images/{image}"),
    PageRow("PATCH", "api/images/{image}", {"split": "TEST"}, viewer=403),
    PageRow("DELETE", "api/images/{image}", owner=204, viewer=403, breaks=QUOTA),
    PageRow("GET", "api/images/{image}/annotations"),
    PageRow("GET", "api/annotations/{annotation}"),
    PageRow(
        "POST",
        "api/projects/{project}/annotations",
        {"annotations": [{"image": "{image}", "boxes": []}]},
        viewer=403,
        breaks="writes a version of the other tenant's image, which the composite key refuses",
    ),
    PageRow("POST", "api/projects/{project}/uploads", FRESH, viewer=403, breaks=QUOTA),
    PageRow("POST", "api/projects/{project}/uploads/complete", {"images": ["{awaiting}"]}, 202, 403),
    PageRow("GET", "projects/{project}/snapshots"),
    PageRow("GET", "projects/{own.project}/snapshots?cursor={p:tenant}", holds=WITHIN_PROJECT),
    PageRow("POST", "projects/{project}/snapshots", {"note": "fresh"}, 302, 403, breaks=OTHERS_KEY),
    PageRow("GET", "snapshots/{snapshot}"),
    PageRow("GET", "snapshots/{own.snapshot}?against={snapshot}"),
    PageRow("GET", "api/snapshots/{snapshot}/manifest", owner=302, viewer=302),
    PageRow("GET", "api/snapshots/{snapshot}/coco", owner=302, viewer=302),
    PageRow("GET", "projects/{project}/imports"),
    PageRow("GET", "projects/{own.project}/imports?cursor={p:tenant}", holds=WITHIN_PROJECT),
    PageRow("GET", "imports/{reported}"),
    PageRow("POST", "imports/{arriving}", {"do": "check"}, 302, 403),
    PageRow("POST", "imports/{inspecting}", {"do": "cancel"}, 302, 403),
    PageRow("POST", "imports/{reported}", {"do": "commit"}, 302, 403, breaks=OTHERS_JOB),
    PageRow("POST", "imports/{reported}", {"do": "discard"}, 302, 403),
    PageRow("GET", "api/projects/{project}/imports"),
    PageRow("POST", "api/projects/{project}/imports", ARCHIVE, 201, 403, breaks=OTHERS_KEY),
    PageRow("POST", "api/imports/{arriving}/check", {}, 202, 403),
    PageRow("GET", "api/imports/{imported}/results", owner=302, viewer=302),
    PageRow("GET", "snapshots/{snapshot}/exports"),
    PageRow("POST", "snapshots/{snapshot}/exports", {"format": "YOLO"}, 302, 403, breaks=OTHERS_SNAPSHOT),
    PageRow("GET", "api/exports/{export}/file", owner=302, viewer=302),
    # training/
    PageRow("GET", "projects/{project}/runs"),
    PageRow("GET", "projects/{own.project}/runs?cursor={p:tenant}", holds=WITHIN_PROJECT),
    PageRow("POST", "projects/{project}/runs", {"recipe": "fast", "seed": "1"}, 302, 403, breaks=OTHERS_KEY),
    PageRow("GET", "runs/{run}"),
    PageRow("POST", "runs/{waiting}", {}, 302, 403),
    PageRow("GET", "runs/{run}/state"),
    PageRow("GET", "projects/{project}/models"),
    PageRow("GET", "projects/{own.project}/models?cursor={p:tenant}", holds=WITHIN_PROJECT),
    PageRow("GET", "models/{model}"),
    PageRow("GET", "models/{own.model}?with={model}"),
    PageRow("GET", "models/{model}/examples"),
    PageRow("GET", "models/{model}/operating"),
    PageRow("GET", "models/{model}/export"),
    PageRow("POST", "models/{plain}/export", {}, 302, 403),
    PageRow("GET", "models/{model}/predictions"),
    PageRow("GET", "api/models/{model}/images/{image}"),
    PageRow("GET", "api/models/{model}/export/onnx", owner=302, viewer=302),
    PageRow("GET", "api/models/{model}/export/manifest", owner=302, viewer=302),
    PageRow("GET", "api/projects/{project}/models"),
    # fleet/
    PageRow("POST", "models/{model}/promote", {}, 302, 403),
    PageRow("POST", "api/models/{model}/predict", {}, viewer=403, file=True),
    PageRow("GET", "api/projects/{project}/promotions"),
]

# Pages outside any tenant, and why.
PLAIN = {
    "": "leads on to the tenants of whoever is signed in",
    "sign-in": "nobody is signed in yet",
    "sign-out": "ends the session that asks",
    "tenants": "lists the seats of whoever is signed in",
    "account": "changes the password of whoever is signed in",
    "accept-invitation": "whoever holds an invitation's token may have no account yet; see test_invitations",
    "api/v1/docs": "shows the OpenAPI document; it stands in the repository",
}
