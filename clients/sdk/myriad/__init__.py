"""Myriad: inspection models for manufacturers, from Python.

from myriad import Client

with Client() as client:  # MYRIAD_URL and MYRIAD_API_KEY
    project = client.projects.create("Casings", kind="detection")
    report = client.images.upload(project.id, "photographs/")
    ingested = client.images.wait(report)
"""

from myriad.client import Client
from myriad.errors import (
    Conflict,
    FieldError,
    IdempotencyMismatch,
    MyriadError,
    NotAuthenticated,
    NotDone,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    UnsupportedMediaType,
    ValidationFailed,
)
from myriad.resources.classes import DefectClass
from myriad.resources.images import Image
from myriad.resources.jobs import Job, Problem, Progress
from myriad.resources.keys import Key, NewKey
from myriad.resources.members import Accepted, Invitation, Member, NewInvitation
from myriad.resources.projects import Project
from myriad.resources.tenant import AuditEvent, Me, Tenant
from myriad.retry import Retry
from myriad.upload.report import (
    FileResult,
    ImageResult,
    IngestProgress,
    IngestReport,
    Outcome,
    UploadProgress,
    UploadReport,
)
from myriad.upload.sidecars import Facts, Sidecar, read_coco, read_metadata_csv
from myriad.version import __version__

__all__ = [
    "Accepted",
    "AuditEvent",
    "Client",
    "Conflict",
    "DefectClass",
    "Facts",
    "FieldError",
    "FileResult",
    "IdempotencyMismatch",
    "Image",
    "ImageResult",
    "IngestProgress",
    "IngestReport",
    "Invitation",
    "Job",
    "Key",
    "Me",
    "Member",
    "MyriadError",
    "NewInvitation",
    "NewKey",
    "NotAuthenticated",
    "NotDone",
    "NotFound",
    "Outcome",
    "PermissionDenied",
    "Problem",
    "Progress",
    "Project",
    "QuotaExceeded",
    "RateLimited",
    "Retry",
    "Sidecar",
    "Tenant",
    "TooLarge",
    "Unavailable",
    "UnexpectedAnswer",
    "UnsupportedMediaType",
    "UploadProgress",
    "UploadReport",
    "ValidationFailed",
    "__version__",
    "read_coco",
    "read_metadata_csv",
]
