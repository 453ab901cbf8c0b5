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

from tests.isolation.rows import QUOTA, Row
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
