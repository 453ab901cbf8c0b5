"""The API key, held so that nothing prints it by accident."""

from __future__ import annotations

import re
from collections.abc import Generator

import httpx

from myriad.errors import NotAuthenticated

# What a header value can carry. Checked here because the HTTP library would quote a bad value in its
# exception.
_SENDABLE = re.compile(r"[!-~]+")


class ApiKey(httpx.Auth):
    """An API key that puts itself on a request and shows itself nowhere else.

    It travels as an `httpx.Auth`, not as a default header, because the `repr` of a client or a traceback with
    local variables would show a header.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        secret = secret.strip()
        if not _SENDABLE.fullmatch(secret):
            raise NotAuthenticated(
                "The API key contains characters that no key has.",
                code="malformed_key",
                hint="Copy the key again; it starts with myr_ and has no spaces or line breaks.",
            )
        self._secret = secret

    def __repr__(self) -> str:
        return "ApiKey(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("an API key is not to be pickled")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._secret}"
        yield request
