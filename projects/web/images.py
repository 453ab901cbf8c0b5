"""The gallery of a project."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from projects.domain import queries, selections
from projects.domain.images import thumbnail_addresses
from projects.models import DefectClass, Image
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.refusals import Invalid, Refusal
from tenants.web.pages import TenantPage

A_PAGE = 60
# The form's two fields for one filter, `meta.NAME=VALUE`.
_META_NAME, _META_VALUE = "meta_name", "meta_value"
STATUSES = {
    Image.Status.READY: "Ready",
    Image.Status.ARRIVED: "Being checked",
    Image.Status.AWAITING: "Not sent yet",
    Image.Status.FAILED: "Failed",
}


class ImagesPage(TenantPage):
    """Thumbnails, newest first, narrowed by the filters of `queries.images`, which stand in the address.

    `do` says what a form does with the chosen images: delete, or put into a split.
    """

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.EDIT}
    template = "projects/images.html"
    section = "projects"

    def read(self, request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
        project = queries.project_named(project_id)
        filters = _filters(request.GET)
        rows = queries.images(project_id, filters=filters)
        page = page_of_rows(rows, cursor=request.GET.get("cursor"), limit=A_PAGE)
        book = list(queries.label_classes(project))
        meta = next(((name[5:], value) for name, value in filters.items() if name.startswith("meta.")), ("", ""))
        return {
            "project": project,
            "part": "images",
            "page": page,
            "cards": [_card(image, book) for image in page.rows],
            "book": book,
            "filters": filters,
            "status": filters.get("status", ""),
            "split": filters.get("split", ""),
            "labelled": filters.get("labelled", ""),
            "shows": filters.get("class", ""),
            "filename": filters.get("filename_contains", ""),
            "job": filters.get("job", ""),
            "meta_name": meta[0],
            "meta_value": meta[1],
            # What the images on this page say of themselves, to choose from.
            "meta_names": sorted({name for image in page.rows for name in image.metadata}),
            "statuses": STATUSES.items(),
            "splits": Image.Split.choices,
            # The filter goes along to the image's page, which leads on to its neighbors in this list.
            "carried": f"?{urlencode(filters)}" if filters else "",
        }

    def sign(self, context: dict[str, Any]) -> None:
        addresses = thumbnail_addresses(context["page"].rows, by=self.seat.principal)
        for card in context["cards"]:
            card["address"] = addresses.get(card["image"].id, "")

    def rendered(
        self, request: HttpRequest, context: Mapping[str, Any], *, refusal: Refusal | None = None
    ) -> HttpResponse:
        """The page; or, where the form left fields empty, the way to the address that says only what was chosen."""
        said = {name: value for name, value in request.GET.items() if name not in (_META_NAME, _META_VALUE)}
        plain = {name: value for name, value in said.items() if value} | _meta(request.GET)
        if refusal is None and plain != dict(request.GET.items()):
            return redirect(f"{request.path}?{urlencode(plain)}" if plain else request.path)
        return super().rendered(request, context, refusal=refusal)

    def act(self, request: HttpRequest, project_id: uuid.UUID) -> HttpResponse:
        chosen = [_image_id(text) for text in request.POST.getlist("image")]
        do, by = request.POST.get("do", ""), self.seat.principal
        if do == "delete":
            count = selections.delete_images(project_id=project_id, image_ids=chosen, by=by)
            done = "deleted"
        else:
            count = selections.pin_split(project_id=project_id, image_ids=chosen, split=do, by=by)
            done = f"in {Image.Split(do).label.lower()}, and stay there"
        messages.success(request, f"{count} image{'s are' if count != 1 else ' is'} {done}.")
        return redirect(request.get_full_path())


def _filters(given: QueryDict) -> dict[str, str]:
    others = ("cursor", _META_NAME, _META_VALUE)
    return {name: str(value) for name, value in given.items() if value and name not in others}


def _meta(given: QueryDict) -> dict[str, str]:
    """The filter that the form's two fields ask for."""
    name, value = given.get(_META_NAME, "").strip(), given.get(_META_VALUE, "").strip()
    return {f"meta.{name}": value} if name and value else {}


def _card(image: Image, book: Iterable[DefectClass]) -> dict[str, Any]:
    shown = set(image.class_ids)  # type: ignore[attr-defined]  # annotated by projects.domain.queries.with_classes
    return {
        "image": image,
        "ready": image.status == Image.Status.READY,
        "words": STATUSES[Image.Status(image.status)],
        "classes": [label for label in book if label.id in shown],
    }


def _image_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Invalid("image", "An image is named by its id.") from error
