"""The one way to the server's API: authentication, retries, idempotency, errors."""

from __future__ import annotations

import logging
import platform
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from myriad.credentials import ApiKey
from myriad.errors import MyriadError, NotAuthenticated, Unavailable, UnexpectedAnswer, ValidationFailed
from myriad.problems import error_from, request_id_of
from myriad.retry import Retry
from myriad.version import __version__

_log = logging.getLogger("myriad")

T = TypeVar("T")
Pause = Callable[[float], object]
Query = Mapping[str, str | int | Sequence[str]]

USER_AGENT = f"myriad-sdk/{__version__} python/{platform.python_version()}"


@dataclass(frozen=True)
class Reply:
    """What came back: the JSON document (None for an empty answer) and what is around it."""

    document: Any
    status: int
    request_id: str
    location: str


@dataclass(frozen=True)
class _Call:
    """One request as it is sent at every attempt; `key` is its Idempotency-Key.

    `body` is what is sent as JSON, or bytes that are `content_type`.
    """

    method: str
    path: str
    params: Query | None
    body: Any
    content_type: str | None
    key: str | None
    anonymous: bool
    redirect: bool


class Transport:
    """Sends requests to one server as one API key. Safe to share between threads."""

    def __init__(self, *, url: str, api_key: str | None, retry: Retry, timeout: float, pause: Pause) -> None:
        self.url = _base_url(url)
        self.retry = retry
        self.timeout = timeout
        self._key = ApiKey(api_key) if api_key else None
        self._pause = pause
        self._http = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(timeout, connect=min(10.0, timeout)),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, params: Query | None = None) -> Reply:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any = None, *, pause: Pause | None = None) -> Reply:
        return self.request("POST", path, body=body, pause=pause)

    def patch(self, path: str, body: Any) -> Reply:
        return self.request("PATCH", path, body=body)

    def delete(self, path: str) -> Reply:
        return self.request("DELETE", path)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        body: Any = None,
        content_type: str | None = None,
        anonymous: bool = False,
        redirect: bool = False,
        pause: Pause | None = None,
    ) -> Reply:
        """Send one request, again and again while it may help; raise a `MyriadError` if it does not.

        Every method may be sent again: a POST carries an Idempotency-Key, the same at every attempt, and the
        others mean the same twice. `pause` is used for waiting instead of the client's own. `body` is sent as
        JSON, unless it is bytes that are `content_type`. `redirect` says that a redirect is the answer, to be
        found in `location`.
        """
        key = str(uuid.uuid4()) if method == "POST" else None
        call = _Call(method, path, params, body, content_type, key, anonymous, redirect)
        return self.persist(lambda: self._once(call), f"{method} {path}", pause=pause)

    def locate(self, path: str) -> Reply:
        """Ask once, for use in `persist`, where the server points to; `location` has the answer."""
        return self._once(_Call("GET", path, None, None, None, None, anonymous=False, redirect=True))

    def persist(self, action: Callable[[], T], what: str, *, pause: Pause | None = None) -> T:
        """Do something again and again while it may help, with pauses; raise its `MyriadError` if it does not."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return action()
            except MyriadError as error:
                seconds = self.retry.pause_after(attempt, error)
                if seconds is None:
                    raise
                _log.info("%s: %s; again in %.1f s", what, error.code, seconds)
            (pause or self._pause)(seconds)

    def _once(self, call: _Call) -> Reply:
        if self._key is None and not call.anonymous:
            raise NotAuthenticated(
                "There is no API key.",
                hint="Set MYRIAD_API_KEY to a key of your tenant; it starts with myr_.",
            )
        auth = None if call.anonymous else self._key
        headers = {"Idempotency-Key": call.key} if call.key else {}
        sent: dict[str, Any] = {"json": call.body}
        if call.content_type is not None:
            headers["Content-Type"] = call.content_type
            sent = {"content": call.body}
        started = time.monotonic()
        try:
            response = self._http.request(
                call.method, call.path, params=call.params, headers=headers, auth=auth, **sent
            )
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise unreachable(self.url, error) from None
        request_id = request_id_of(response)
        _log.debug(
            "%s %s %d in %.3f s (%s)",
            call.method,
            call.path,
            response.status_code,
            time.monotonic() - started,
            request_id,
        )
        if not (response.is_success or (call.redirect and response.is_redirect)):
            raise error_from(response)
        return Reply(
            document=None if response.is_redirect else _document(response),
            status=response.status_code,
            request_id=request_id,
            location=response.headers.get("location", ""),
        )


def path_of(*segments: str) -> str:
    """Make the path of a resource; each segment is one segment whatever a caller put into it."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise ValidationFailed(f"{segment!r} is not an id.", code="bad_id", hint="Give the id as the server does.")
    return "/api/v1/" + "/".join(quote(segment, safe="", errors="replace") for segment in segments)


def unreachable(url: str, error: Exception) -> Unavailable:
    """Describe a connection that failed: no answer, cut off, timed out, or not to be trusted."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Unavailable(
            f"The certificate of {url} cannot be trusted.",
            code="untrusted_certificate",
            hint="Point SSL_CERT_FILE at your company's certificate authority, or check the address.",
        )
    what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
    return Unavailable(
        f"{url} {what} ({type(error).__name__}).",
        code="unreachable",
        hint="Check MYRIAD_URL, the network and any proxy; the service may also be away for a moment.",
    )


def _document(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise UnexpectedAnswer(
            f"{response.request.url.host} answered something that is not JSON.",
            status=response.status_code,
            hint="Check that MYRIAD_URL is the address of the service and that no proxy answers for it.",
            request_id=request_id_of(response),
        ) from None


def _base_url(url: str) -> str:
    try:
        parsed = httpx.URL(url.strip().rstrip("/"))
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValidationFailed(
            "The address of the service is not a web address.",
            code="bad_url",
            hint="Set MYRIAD_URL to something like https://myriad.example.com.",
        )
    if parsed.userinfo or parsed.query or parsed.fragment:
        # A key in an address ends up in logs and histories.
        raise ValidationFailed(
            "The address of the service may hold no user name, password or query.",
            code="bad_url",
            hint="Put the API key into MYRIAD_API_KEY, not into MYRIAD_URL.",
        )
    return str(parsed).rstrip("/")
