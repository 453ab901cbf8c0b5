"""Views of images and of the ways to send them."""

import json
import uuid
from typing import Any, ClassVar, Literal

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from projects.api.serializers import (
    CompleteInput,
    CompletionSerializer,
    DirectUploadInput,
    DirectUploadSerializer,
    FilesInput,
    ImageChange,
    ImageSerializer,
    RegistrationSerializer,
)
from projects.domain import images, queries, registration, uploads
from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.views import TenantView, TooLarge, checked
from tenants.permissions import Permission

# Files a call. A form costs a signature each; a bare registration does not.
MAX_FORMS = 100
MAX_REGISTERED = 5000
FILTERS = [
    OpenApiParameter("status", str, description="AWAITING, ARRIVED, READY or FAILED."),
    OpenApiParameter("split", str, description="TRAIN, VALIDATION or TEST."),
    OpenApiParameter("labelled", bool, description="Whether the image has an annotation."),
    OpenApiParameter("class", OpenApiTypes.UUID, description="Images that show this class."),
    OpenApiParameter("job", OpenApiTypes.UUID, description="Images that this job ingests."),
    OpenApiParameter("filename", str),
    OpenApiParameter("filename_contains", str, description="Images whose name has this in it, whatever the case."),
    OpenApiParameter("meta.NAME", str, description="Images whose metadata NAME has this value."),
]


def listed_files(request: Request, *, most: int) -> list[object]:
    """The `files` of a registration; raises ParseError unless it is a list of 1 to `most`."""
    files = request.data.get("files") if isinstance(request.data, dict) else None
    if not isinstance(files, list) or not 1 <= len(files) <= most:
        raise ParseError(f"`files` must be a list of 1 to {most} items.")
    return files


class ImagesView(TenantView):
    """The images of a project, and the bounded door for clients without an S3 form."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.UPLOAD}
    parser_classes = (MultiPartParser,)
    max_body = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    @property
    def scoped(self) -> bool:  # type: ignore[override]  # the one view whose methods differ
        return self.request.method != "POST"

    @extend_schema(operation_id="images_list", parameters=PAGE_PARAMETERS + FILTERS, responses=page_of(ImageSerializer))
    def get(self, request: Request, project_id: uuid.UUID) -> Response:
        """Images, newest first."""
        given = request.query_params.items()
        filters = {name: str(value) for name, value in given if name not in ("limit", "cursor")}
        return paginated(request, queries.images(project_id, filters=filters), ImageSerializer)

    @extend_schema(
        operation_id="images_upload",
        request={"multipart/form-data": DirectUploadInput},
        responses={200: DirectUploadSerializer, 202: DirectUploadSerializer},
    )
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Takes one file of at most 20 MB. 202 with the ingest's job, or 200 when the file is there already."""
        form = checked(DirectUploadInput, request)
        file = form["file"]
        if file.size > settings.MAX_DOOR_BYTES:
            raise TooLarge(settings.MAX_DOOR_BYTES)
        description = {
            "filename": file.name,
            "content_type": file.content_type,
            "metadata": _json_text(form.get("metadata")),
            "split": form.get("split"),
            "group": form.get("group"),
        }
        image, job = uploads.upload_directly(
            project_id=project_id, data=file.read(), description=description, by=self.principal
        )
        there = image.status == image.Status.READY
        headers = {"Location": f"/api/v1/jobs/{job}"} if job and not there else {}
        answer = DirectUploadSerializer({"image": image, "job": job}).data
        return Response(answer, status=200 if there else 202, headers=headers)


class RegisterView(TenantView):
    needs: ClassVar = {"POST": Permission.UPLOAD}
    max_body = 8 * 1024 * 1024

    @extend_schema(operation_id="images_register", request=FilesInput, responses=RegistrationSerializer)
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Registers up to 5,000 files; their bytes are sent later, through `uploads`."""
        items = listed_files(request, most=MAX_REGISTERED)
        results = registration.register_images(project_id=project_id, items=items, by=self.principal)
        return Response({"results": [registration.as_json(result) for result in results]})


class UploadsView(TenantView):
    needs: ClassVar = {"POST": Permission.UPLOAD}
    scoped = False
    replays = False

    @extend_schema(operation_id="uploads_create", request=FilesInput, responses=RegistrationSerializer)
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Registers up to 100 files and answers how to send each to S3. Asking again resumes."""
        items = listed_files(request, most=MAX_FORMS)
        lines = uploads.request_uploads(project_id=project_id, items=items, by=self.principal)
        return Response({"results": lines})


class CompleteView(TenantView):
    needs: ClassVar = {"POST": Permission.UPLOAD}
    scoped = False

    @extend_schema(
        operation_id="uploads_complete",
        request=CompleteInput,
        responses={200: CompletionSerializer, 202: CompletionSerializer},
    )
    def post(self, request: Request, project_id: uuid.UUID) -> Response:
        """Says which files of a batch have arrived, and asks for their ingest."""
        image_ids = checked(CompleteInput, request)["images"]
        done = uploads.complete_uploads(project_id=project_id, image_ids=image_ids, by=self.principal)
        headers = {"Location": f"/api/v1/jobs/{done.jobs[0]}"} if done.jobs else {}
        return Response(CompletionSerializer(done).data, status=202 if done.jobs else 200, headers=headers)


class ImageView(TenantView):
    needs: ClassVar = {"GET": Permission.READ, "PATCH": Permission.EDIT, "DELETE": Permission.EDIT}
    tagged = ImageSerializer

    @extend_schema(operation_id="images_read", responses=ImageSerializer)
    def get(self, request: Request, image_id: uuid.UUID) -> Response:
        """One image."""
        return Response(ImageSerializer(queries.image_named(image_id)).data)

    @extend_schema(operation_id="images_update", request=ImageChange, responses=ImageSerializer)
    def patch(self, request: Request, image_id: uuid.UUID) -> Response:
        """Changes metadata, split (then pinned) or, of an image without annotation, the classes it shows."""
        changes = checked(ImageChange, request)
        image = images.update_image(image_id=image_id, by=self.principal, expect=self.expected, **changes)
        return Response(ImageSerializer(image).data)

    @extend_schema(operation_id="images_delete", responses={204: None})
    def delete(self, request: Request, image_id: uuid.UUID) -> Response:
        """Deletes an image."""
        images.delete_image(image_id=image_id, by=self.principal, expect=self.expected)
        return Response(status=204)


class _FileView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}
    scoped = False
    which: ClassVar[Literal["image", "thumbnail"]]

    def get(self, request: Request, image_id: uuid.UUID) -> Response:
        address = images.file_address(image_id=image_id, which=self.which, by=self.principal)
        return Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})


@extend_schema_view(get=extend_schema(operation_id="images_file", responses={302: None}))
class ImageFileView(_FileView):
    """Redirects to a short-lived address of the image's file."""

    which = "image"


@extend_schema_view(get=extend_schema(operation_id="images_thumbnail", responses={302: None}))
class ThumbnailView(_FileView):
    """Redirects to a short-lived address of the image's thumbnail (WebP)."""

    which = "thumbnail"


def _json_text(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError("`metadata` must be a JSON object.") from error
