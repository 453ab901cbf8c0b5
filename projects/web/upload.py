"""Sending photographs: the page's script sends them straight to S3."""

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest

from projects.domain import queries
from projects.domain.decoding import ACCEPTED_TYPES
from projects.domain.items import MAX_FILE_BYTES
from projects.models import Image
from tenants.permissions import Permission
from tenants.web.pages import TenantPage

# What is often known of a whole batch.
METADATA = (("camera", "3"), ("line", "casing line 2"), ("shift", "night"), ("lot", "2024-117"))
# Names of unfinished uploads that the page tells.
MOST_AWAITED = 5


class UploadPage(TenantPage):
    needs: ClassVar = {"GET": Permission.UPLOAD}
    template = "projects/upload.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = queries.project_named(project_id)
        awaited = queries.images(project_id, filters={"status": Image.Status.AWAITING}).order_by("-id")
        names = [image.filename for image in awaited[: MOST_AWAITED + 1]]
        return {
            "project": project,
            "part": "upload",
            "awaited": names[:MOST_AWAITED],
            "more_awaited": len(names) > MOST_AWAITED,
            "metadata": METADATA,
            "types": ",".join(ACCEPTED_TYPES),
            "max_bytes": MAX_FILE_BYTES,
        }
