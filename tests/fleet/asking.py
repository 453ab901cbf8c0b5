"""Asking for predictions as customers do."""

import hashlib
import uuid
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from projects.domain.images import image_key
from projects.models import Image
from tenants.ids import uuid7
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.files import encoded, picture
from tests.serving import put_object

PHOTO = encoded(picture("casing", 160, 120), "PNG")


def send(person: Person, address: str, data: bytes = PHOTO, content_type: str = "image/png", **headers: Any) -> Any:
    """The bytes as the request's body, as `curl --data-binary` sends them."""
    return person.api.post(f"/api/v1/{address}", data, content_type=content_type, **headers)


def send_form(person: Person, address: str, data: bytes = PHOTO) -> Any:
    """As `curl -F file=@…` does."""
    file = SimpleUploadedFile("casing.png", data, "image/png")
    return person.api.post(f"/api/v1/{address}", {"file": file}, format="multipart")


def name_image(person: Person, address: str, image: object) -> Any:
    return person.api.post(f"/api/v1/{address}", {"image": str(image)}, format="json")


def stored_image(owner: Person, project: str, data: bytes = PHOTO, **changes: Any) -> uuid.UUID:
    """A READY image, as ingest leaves one."""
    sha256 = hashlib.sha256(data).hexdigest()
    put_object(owner.tenant.id, image_key(sha256), data)
    fields = {
        "filename": "casing.png",
        "status": Image.Status.READY,
        "sha256": sha256,
        "stored_sha256": sha256,
        "thumbnail_sha256": sha256,
        "content_type": "image/png",
        "stored_type": "image/png",
        "size": len(data),
        "width": 160,
        "height": 120,
        "split": "TRAIN",
    }
    with tenant_scope(owner.tenant.id):
        return Image.objects.create(id=uuid7(), project_id=project, **fields | changes).id
