"""The plain things of the fake service: one tenant's projects, images, keys, held in dictionaries."""

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.clients.sdk.fake_storage import FakeStorage

if TYPE_CHECKING:
    from tests.clients.sdk.fake_service import Received

Reply = tuple[int, Any, dict[str, str]]
MADE = "2026-03-01T08:00:00Z"


class Problem(Exception):
    """A refusal, as a problem document."""

    def __init__(self, status: int, code: str, detail: str, hint: str = "", **extra: Any) -> None:
        super().__init__(detail)
        self.document: dict[str, Any] = {
            "type": "about:blank",
            "title": "Problem",
            "status": status,
            "code": code,
        }
        self.document |= {"detail": detail, "hint": hint, **extra}


class FakeThings:
    """What can be listed, shown and made."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.storage = FakeStorage(url)
        self.projects: dict[str, dict[str, Any]] = {}
        self.classes: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.routes: list[tuple[str, str, Callable[..., Reply]]] = [
            ("GET", r"/me", self._me),
            ("GET", r"/projects", self._list_of(self.projects)),
            ("POST", r"/projects", self._create_project),
            ("GET", r"/projects/([^/]+)", self._get_of(self.projects)),
            ("GET", r"/projects/([^/]+)/classes", self._list_classes),
            ("POST", r"/projects/([^/]+)/classes", self._create_class),
            ("GET", r"/projects/([^/]+)/images", self._list_images),
            ("GET", r"/images/([^/]+)", self._get_of(self.images)),
            ("GET", r"/images/([^/]+)/file", self._file),
            ("GET", r"/jobs", self._list_of(self.jobs)),
            ("GET", r"/keys", self._list_of(self.keys)),
            ("POST", r"/keys", self._create_key),
            ("DELETE", r"/keys/([^/]+)", self._revoke_key),
            ("POST", r"/invitations/accept", self._accept),
        ]

    def answer(self, request: "Received") -> Reply:
        for method, pattern, handler in self.routes:
            found = re.fullmatch("/api/v1" + pattern, request.path)
            if found and method == request.method:
                return handler(request, *found.groups())
        raise missing()

    def add_project(self, name: str, kind: str = "DETECTION") -> str:
        project: dict[str, Any] = {
            "id": new_id(),
            "name": name,
            "kind": kind,
            "description": "",
            "image_count": 0,
            "labelled_count": 0,
            "created_at": MADE,
        }
        self.projects[project["id"]] = project
        return str(project["id"])

    def add_job(self, **changes: Any) -> str:
        job: dict[str, Any] = {
            "id": new_id(),
            "kind": "ingest",
            "state": "PENDING",
            "attempts": 1,
            "max_attempts": 3,
        }
        job |= {"progress": {"done": 0, "total": 0, "message": ""}, "queue_place": 1, "eta_seconds": 2.5}
        job |= {"result": None, "error": None, "created_at": MADE, "started_at": None, "finished_at": None}
        self.jobs[job["id"]] = job | {"cancel_requested_at": None, "looks": 0} | changes
        return str(job["id"])

    def add_image(self, project: str, filename: str, **changes: Any) -> str:
        image: dict[str, Any] = {"id": new_id(), "project": project, "filename": filename, "status": "READY"}
        image |= {"sha256": "", "stored_sha256": None, "content_type": "image/jpeg", "size": 10, "width": 4}
        image |= {"height": 3, "near_hash": None, "metadata": {}, "split": "TRAIN", "split_pinned": False}
        image |= {
            "group": "",
            "classes": [],
            "annotation": None,
            "error": None,
            "job": None,
            "created_at": MADE,
        } | changes
        self.images[image["id"]] = image
        return str(image["id"])

    # Lists and single things

    def _list_of(self, things: dict[str, dict[str, Any]]) -> Callable[..., Reply]:
        return lambda request: self._page(request, list(things.values()))

    def _get_of(self, things: dict[str, dict[str, Any]]) -> Callable[..., Reply]:
        def get(_: "Received", thing: str) -> Reply:
            if thing not in things:
                raise missing()
            return 200, things[thing], {}

        return get

    def _page(self, request: "Received", items: list[dict[str, Any]]) -> Reply:
        limit, start = int(request.query.get("limit", ["50"])[0]), int(request.query.get("cursor", ["0"])[0])
        following = None
        if start + limit < len(items):
            # Named as a server behind a proxy might: the client must not follow it out there.
            kept = "&".join(f"{name}={values[0]}" for name, values in request.query.items() if name != "cursor")
            following = f"http://inside.invalid{request.path}?{kept}&cursor={start + limit}"
        return 200, {"next": following, "previous": None, "results": items[start : start + limit]}, {}

    def _me(self, _: "Received") -> Reply:
        member = {"id": new_id(), "email": "alice@acme.example", "role": "OWNER"}
        usage = {"images_used": 12, "images_limit": 1000, "bytes_used": 34, "bytes_limit": 5600}
        tenant = {"id": "acme-id", "name": "Acme Casings", "slug": "acme"}
        key = {"id": new_id(), "prefix": "canary00", "scopes": ["read", "upload"]}
        return 200, {"tenant": tenant, "member": member, "key": key, "usage": usage}, {}

    def _create_project(self, request: "Received") -> Reply:
        if request.json["name"] == "":
            errors = [{"field": "name", "detail": "This field may not be blank."}]
            raise Problem(400, "validation_failed", "The input is not valid.", "Correct it.", errors=errors)
        return 201, self.projects[self.add_project(request.json["name"], request.json["kind"])], {}

    def _list_classes(self, request: "Received", project: str) -> Reply:
        return self._page(request, [item for item in self.classes.values() if item["project"] == project])

    def _create_class(self, request: "Received", project: str) -> Reply:
        made = {"id": new_id(), "project": project, "color": "#d97706", "created_at": MADE, **request.json}
        self.classes[made["id"]] = made
        return 201, made, {}

    def _list_images(self, request: "Received", project: str) -> Reply:
        found = [image for image in self.images.values() if image["project"] == project]
        for name, (value, *_) in request.query.items():
            if name.startswith("meta."):
                found = [image for image in found if str(image["metadata"].get(name[5:])) == value]
            elif name == "class":
                found = [image for image in found if value in image["classes"]]
            elif name not in ("limit", "cursor"):
                found = [image for image in found if image[name] == value]
        return self._page(request, found)

    def _file(self, _: "Received", image: str) -> Reply:
        if image not in self.images:
            raise missing()
        data = self.storage.objects.get(image, b"photograph")
        return 302, None, {"Location": self.storage.address(image, data)}

    def _create_key(self, request: "Received") -> Reply:
        made = {"id": new_id(), "prefix": "newkey00", "created_at": MADE, "expires_at": None, **request.json}
        self.keys[made["id"]] = made
        return 201, {**made, "secret": "myr_newkey00_shown"}, {}

    def _revoke_key(self, _: "Received", key: str) -> Reply:
        if self.keys.pop(key, None) is None:
            raise missing()
        return 204, None, {}

    def _accept(self, request: "Received") -> Reply:
        if request.json["token"] != "good-token":
            raise missing()
        member = {
            "id": new_id(),
            "email": "bob@acme.example",
            "name": request.json["name"],
            "role": "LABELER",
        }
        key = {"id": new_id(), "prefix": "first000", "secret": "myr_first000_shown"}
        tenant = {"id": "acme-id", "name": "Acme Casings", "slug": "acme"}
        return 201, {"tenant": tenant, "member": member, "api_key": key}, {}


def missing() -> Problem:
    return Problem(404, "not_found", "There is no such thing.", "Check the id.")


def new_id() -> str:
    return str(uuid.uuid4())
