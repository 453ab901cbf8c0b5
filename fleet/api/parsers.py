"""Reading a picture sent as the request's body."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser


class PictureParser(BaseParser):
    """The bytes of `Content-Type: image/…`, as `{"bytes": …}`."""

    media_type = "image/*"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, bytes]:
        return {"bytes": stream.read()}


class OctetParser(PictureParser):
    """The same for senders that do not know what their file is."""

    media_type = "application/octet-stream"
