"""Fetching files from the short-lived addresses that the server gives out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from myriad.errors import MyriadError, Unavailable, UnexpectedAnswer, ValidationFailed
from myriad.transport import USER_AGENT, Transport, unreachable

_CHUNK = 256 * 1024  # bytes

# Is told how many bytes have come, or gone.
OnBytes = Callable[[int], object]


def read_file(transport: Transport, path: str) -> bytes:
    """Give the bytes that the server's redirect at `path` leads to, whole."""

    def once() -> bytes:
        with _opened(transport, path) as response:
            return response.read()

    return transport.persist(once, f"download of {path}")


def save_file(
    transport: Transport,
    path: str,
    target: str | os.PathLike[str],
    *,
    sha256: str = "",
    on_bytes: OnBytes | None = None,
) -> Path:
    """Save the file that the server's redirect at `path` leads to as `target`, whole or not at all.

    Folders on the way are made and a file of that name is replaced. `sha256` (hex), where it is known, must be that
    of the bytes. Raises `ValidationFailed` where `target` cannot be written.
    """
    final = Path(target)
    partial = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        transport.persist(lambda: _save_once(transport, path, partial, sha256, on_bytes), f"download of {path}")
        partial.replace(final)
    except OSError as error:
        raise _unwritable(final, error) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return final


def write_file(target: str | os.PathLike[str], data: bytes) -> Path:
    """Write bytes that are known already; raise `ValidationFailed` where that is not possible."""
    final = Path(target)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        final.write_bytes(data)
    except OSError as error:
        raise _unwritable(final, error) from None
    return final


def _save_once(transport: Transport, path: str, partial: Path, sha256: str, on_bytes: OnBytes | None) -> None:
    digest, come = hashlib.sha256(), 0
    with _opened(transport, path) as response, partial.open("wb") as file:
        for chunk in response.iter_bytes(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
            come += len(chunk)
            if on_bytes is not None:
                on_bytes(come)
    if sha256 and digest.hexdigest() != sha256:
        raise Unavailable(
            "What arrived is not the file that the service keeps: its SHA-256 differs.",
            code="damaged_download",
            hint="Try again; if it happens again, ask support.",
        )


@contextmanager
def _opened(transport: Transport, path: str) -> Iterator[httpx.Response]:
    """Ask for an address and open it. The API key does not go there."""
    # Once: an address that has expired wants a new one, so that the two are repeated together.
    reply = transport.locate(path)
    if not reply.location:
        raise UnexpectedAnswer("The server gave no address of the file.", request_id=reply.request_id)
    timeout = httpx.Timeout(transport.timeout, connect=min(10.0, transport.timeout))
    try:
        with httpx.stream("GET", reply.location, timeout=timeout, headers={"User-Agent": USER_AGENT}) as response:
            if not response.is_success:
                raise _refused(response, reply.request_id)
            yield response
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise unreachable(str(httpx.URL(reply.location).copy_with(path="/", query=None)), error) from None


def _refused(response: httpx.Response, request_id: str) -> MyriadError:
    return Unavailable(
        f"The storage at {response.url.host} answered {response.status_code} for the file.",
        code="storage_refused",
        hint="Try again; if it happens again, ask support.",
        request_id=request_id,
    )


def _unwritable(target: Path, error: OSError) -> ValidationFailed:
    return ValidationFailed(
        f"{target} cannot be written: {error.strerror or error}.",
        code="unwritable",
        hint="Check the folder, its rights and the space on the disk.",
    )
