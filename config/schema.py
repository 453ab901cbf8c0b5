"""The OpenAPI schema, made once a process: making it takes a tenth of a second, and anyone may ask."""

import functools

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer


@functools.cache
def _document() -> bytes:
    # drf-spectacular's generator has no annotations.
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document: bytes = OpenApiYamlRenderer().render(made)  # type: ignore[no-untyped-call]
    return document


def schema(request: HttpRequest) -> HttpResponse:
    """Public on purpose: the same document is in the repository."""
    return HttpResponse(_document(), content_type="application/vnd.oai.openapi")


def docs(request: HttpRequest) -> HttpResponse:
    """The interactive documentation, for everybody; it asks for a key to try things out."""
    return render(request, "docs.html")
