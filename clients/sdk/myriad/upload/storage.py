"""Sending bytes straight to S3 by the forms and addresses that the API signed.

Forms are built by hand and streamed from the file: httpx's own multipart encoder costs half as much CPU again
a file.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from myriad.errors import Unavailable
from myriad.problems import retry_after_of
from myriad.retry import Retry
from myriad.transport import USER_AGENT, unreachable
from myriad.upload.files import LocalFile
from myriad.upload.stopping import Stop

_CHUNK = 256 * 1024  # bytes read and sent at a time; smaller costs CPU, larger gives nothing

# S3's names for "your signature is no longer (or not yet) good". AWS says most of it by 403, some by 400.
_EXPIRED_CODES = frozenset({"AccessDenied", "ExpiredToken", "InvalidToken", "RequestExpired", "RequestTimeTooSkewed"})
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


Body = Callable[[], Iterator[bytes]]


class FormExpired(Exception):
    """The signature does not hold (any more); the API must be asked for another."""


class FileChanged(Exception):
    """The file on disk is no longer the one that was hashed."""


class StorageRefused(Exception):
    """S3 does not take this file by this form."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StorageAway(Exception):
    """S3 cannot be reached, or cannot answer, after all retries."""


class Storage:
    """Connections to S3, one for each thread that sends. Knows no API key. Safe to share between threads.

    Each thread has a client of its own, because a pool that eight threads share spends more time on finding an idle
    connection than on the request.
    """

    def __init__(
        self, *, retry: Retry, timeout: float, stop: Stop, on_bytes: Callable[[int], object] | None = None
    ) -> None:
        """`on_bytes` is told how many bytes of a file have gone; of use where one file is sent at a time."""
        self._on_bytes = on_bytes
        self._retry = retry
        self._stop = stop
        self._timeout = httpx.Timeout(timeout, connect=min(10.0, timeout))
        self._trust = httpx.create_ssl_context()  # once: it costs as much as a dozen files
        self._mine = threading.local()
        self._clients: list[httpx.Client] = []

    def close(self) -> None:
        for client in self._clients:
            client.close()

    @property
    def _http(self) -> httpx.Client:
        if not hasattr(self._mine, "client"):
            self._mine.client = httpx.Client(timeout=self._timeout, verify=self._trust)
            self._clients.append(self._mine.client)
        client: httpx.Client = self._mine.client
        return client

    def post_form(self, upload: Mapping[str, Any], file: LocalFile) -> None:
        """Send the whole file by a presigned POST form. Raises the exceptions of this module, or `OSError`."""
        boundary = secrets.token_hex(16)
        head = _form_head(upload["fields"], file.content_type, boundary)
        tail = f"\r\n--{boundary}--\r\n".encode()

        def body() -> Iterator[bytes]:
            # Head and tail go with a piece of the file: each piece is a system call here and a wake-up over there.
            chunks = self._slice(file, 0, file.size)
            piece = head + next(chunks, b"")
            for chunk in chunks:
                yield piece
                piece = chunk
            yield piece + tail

        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + file.size + len(tail)),
        }
        self._send("POST", upload["url"], headers, body, file)

    def put_part(self, url: str, file: LocalFile, offset: int, size: int) -> None:
        """Send `size` bytes from `offset` to a presigned part address. Raises as `post_form` does."""
        headers = {"Content-Length": str(size)}
        self._send("PUT", url, headers, lambda: self._slice(file, offset, size), file)

    def _slice(self, file: LocalFile, offset: int, size: int) -> Iterator[bytes]:
        with file.path.open("rb", buffering=0) as stream:
            stream.seek(offset)
            gone = 0
            while size:
                self._stop.check()
                chunk = stream.read(min(size, _CHUNK))
                if not chunk:
                    raise FileChanged
                size -= len(chunk)
                yield chunk
                gone += len(chunk)
                if self._on_bytes is not None:
                    self._on_bytes(gone)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Body, file: LocalFile) -> None:
        attempt = 0
        while True:
            attempt += 1
            # A request made here and sent as it is spares httpx's merging of defaults, a tenth of a file's CPU.
            request = httpx.Request(method, url, content=body(), headers={"User-Agent": USER_AGENT, **headers})
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                trouble = unreachable(f"The storage at {request.url.netloc.decode()}", error)
            else:
                if response.is_success:
                    return
                if response.status_code not in _TRY_AGAIN:
                    raise _refusal(response, file)
                trouble = Unavailable(
                    f"The storage at {request.url.netloc.decode()} answered {response.status_code}.",
                    retry_after=retry_after_of(response),
                )
            seconds = self._retry.pause_after(attempt, trouble)
            if seconds is None:
                raise StorageAway(trouble.detail)
            self._stop.pause(seconds)


def _form_head(fields: Mapping[str, str], content_type: str, boundary: str) -> bytes:
    """Make what comes before the file's bytes. S3 ignores every field after the file, so the file is last."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return "".join(parts).encode()


def _refusal(response: httpx.Response, file: LocalFile) -> Exception:
    code = _tag(response.text, "Code")
    if file.has_changed():
        return FileChanged()
    if response.status_code == 403 or code in _EXPIRED_CODES:
        return FormExpired(code)
    message = _tag(response.text, "Message") or f"The storage answered {response.status_code}."
    return StorageRefused(code or str(response.status_code), message)


def _tag(xml: str, name: str) -> str:
    # S3's errors are flat; a pattern cannot be made to expand entities as an XML parser can.
    found = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    return found.group(1) if found else ""


class _HideSignatures(logging.Filter):
    """httpx logs the address of every request; a presigned one is a secret for as long as it is good."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.copy_with(query=None) if isinstance(argument, httpx.URL) else argument
                for argument in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_HideSignatures())
