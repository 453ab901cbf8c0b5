"""What the SDK raises.

Every error is a `MyriadError`; the subclass says which kind, `code` says exactly which, `hint` says what to
do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from myriad.upload.report import UploadReport


@dataclass(frozen=True)
class FieldError:
    """One field of a request that the server refused."""

    field: str
    detail: str


class MyriadError(Exception):
    """Something did not work.

    `status` is the HTTP status, or None where no answer came. `code` is stable and meant for programs,
    `detail` and `hint` for people. `request_id` names the request in the server's log; quote it to support.
    """

    default_code = "error"

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        hint: str = "",
        request_id: str = "",
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code or self.default_code
        self.hint = hint
        self.request_id = request_id
        self.errors = errors
        self.retry_after = retry_after
        # Set when an upload had to stop in the middle: what had been done by then.
        self.report: UploadReport | None = None

    @property
    def happened(self) -> str:
        """What happened, with the fields that were refused, each said once."""
        fields = [f"{error.field}: {error.detail}" for error in self.errors if error.detail not in self.detail]
        return " ".join([self.detail, *fields])

    def __str__(self) -> str:
        parts = [self.happened]
        if self.hint:
            parts.append(self.hint)
        if self.request_id:
            parts.append(f"(request {self.request_id})")
        return " ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Give the error as the document that `myriad --json` prints."""
        return {
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "hint": self.hint,
            "request_id": self.request_id,
            "errors": [{"field": error.field, "detail": error.detail} for error in self.errors],
        }


class NotAuthenticated(MyriadError):
    """There is no API key, or the server does not know it (any more)."""

    default_code = "not_authenticated"


class PermissionDenied(MyriadError):
    """The key is known but may not do this."""

    default_code = "permission_denied"


class QuotaExceeded(PermissionDenied):
    """The tenant has used up what it may have."""

    default_code = "quota_exceeded"


class NotFound(MyriadError):
    """There is no such thing, or it is another tenant's."""

    default_code = "not_found"


class ValidationFailed(MyriadError):
    """An argument is wrong; `errors` names the fields where the server did."""

    default_code = "validation_failed"


class TooLarge(ValidationFailed):
    """The request is larger than the server takes."""

    default_code = "too_large"


class UnsupportedMediaType(ValidationFailed):
    """The server does not take this kind of content."""

    default_code = "unsupported_media_type"


class Conflict(MyriadError):
    """The thing is not in a state that allows this, or another request is changing it."""

    default_code = "conflict"


class IdempotencyMismatch(Conflict):
    """An Idempotency-Key was used again with another request."""

    default_code = "idempotency_mismatch"


class Unavailable(MyriadError):
    """The service or its storage cannot be reached or cannot answer now, after all retries."""

    default_code = "unavailable"


class RateLimited(Unavailable):
    """Too many requests; `retry_after` is in seconds."""

    default_code = "rate_limited"


class NotDone(MyriadError):
    """A wait ended before the work did."""

    default_code = "not_done"


class UnexpectedAnswer(MyriadError):
    """The server answered something that this version of the SDK cannot read."""

    default_code = "unexpected_answer"
