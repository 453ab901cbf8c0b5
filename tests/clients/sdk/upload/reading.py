"""The fake service's addresses, and reports in short form."""

from myriad import (
    FileResult,
)

UPLOADS = "/api/v1/projects/[^/]+/uploads"
COMPLETE = UPLOADS + "/complete"
FORM = "/s3/bucket"
NOT_AUTHENTICATED = {"code": "not_authenticated", "detail": "No valid credentials.", "hint": "Send a key."}


def names(results: tuple[FileResult, ...]) -> list[str]:
    return [result.name for result in results]


def codes(results: tuple[FileResult, ...]) -> dict[str, str]:
    return {result.name: result.code for result in results}
