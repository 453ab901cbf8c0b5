"""Myriad: inspection models for manufacturers, from Python.

from myriad import Client

with Client() as client:  # MYRIAD_URL and MYRIAD_API_KEY
    project = client.projects.create("Casings", kind="detection")
    report = client.images.upload(project.id, "photographs/")
    ingested = client.images.wait(report)
"""

from myriad.annotations.coco import CocoAnnotations, CocoBox, CocoImage, read_coco_annotations
from myriad.annotations.report import AnnotationResult, ImportProgress, ImportReport
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
from myriad.resources.annotations import Annotation, Box
from myriad.resources.classes import DefectClass
from myriad.resources.exports import Export
from myriad.resources.images import Image
from myriad.resources.imports import CheckReport, CommitResult, Finding, Import, ImportedFile
from myriad.resources.jobs import Job, Problem, Progress
from myriad.resources.keys import Key, NewKey
from myriad.resources.members import Accepted, Invitation, Member, NewInvitation
from myriad.resources.models import (
    ClassScores,
    Comparison,
    Evaluation,
    ExportedModel,
    Interval,
    Metrics,
    Model,
    Promotion,
)
from myriad.resources.predictions import Found, Prediction, Share
from myriad.resources.projects import Project, Statistics
from myriad.resources.runs import Run
from myriad.resources.snapshots import Difference, Snapshot
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
    "Annotation",
    "AnnotationResult",
    "AuditEvent",
    "Box",
    "CheckReport",
    "ClassScores",
    "Client",
    "CocoAnnotations",
    "CocoBox",
    "CocoImage",
    "CommitResult",
    "Comparison",
    "Conflict",
    "DefectClass",
    "Difference",
    "Evaluation",
    "Export",
    "ExportedModel",
    "Facts",
    "FieldError",
    "FileResult",
    "Finding",
    "Found",
    "IdempotencyMismatch",
    "Image",
    "ImageResult",
    "Import",
    "ImportProgress",
    "ImportReport",
    "ImportedFile",
    "IngestProgress",
    "IngestReport",
    "Interval",
    "Invitation",
    "Job",
    "Key",
    "Me",
    "Member",
    "Metrics",
    "Model",
    "MyriadError",
    "NewInvitation",
    "NewKey",
    "NotAuthenticated",
    "NotDone",
    "NotFound",
    "Outcome",
    "PermissionDenied",
    "Prediction",
    "Problem",
    "Progress",
    "Project",
    "Promotion",
    "QuotaExceeded",
    "RateLimited",
    "Retry",
    "Run",
    "Share",
    "Sidecar",
    "Snapshot",
    "Statistics",
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
    "read_coco_annotations",
    "read_metadata_csv",
]
