"""Imports: a zip of images and boxes, checked before anything of it is written."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from projects.models.projects import Project
from tenants.fields import TenantForeignKey
from tenants.models import Job, Member, TenantModel


class Import(TenantModel):
    """One archive on its way into a project. Checking it writes nothing but its report; committing it does."""

    class Status(models.TextChoices):
        """AWAITING (bytes to come) → CHECKING → CHECKED → COMMITTING → DONE; FAILED says in `error` why.

        A commit that failed, or whose job ended before it did, may be asked for again: it goes on where it was.
        """

        AWAITING = "AWAITING"
        CHECKING = "CHECKING"
        CHECKED = "CHECKED"
        COMMITTING = "COMMITTING"
        DONE = "DONE"
        FAILED = "FAILED"

    class Format(models.TextChoices):
        COCO = "COCO"
        VOC = "VOC"
        YOLO = "YOLO"

    class UnknownClasses(models.TextChoices):
        """What the commit does with boxes of classes that the label book does not have."""

        CREATE = "CREATE"
        SKIP = "SKIP"

    project = TenantForeignKey(Project, related_name="imports")
    filename = models.CharField(max_length=255)
    # Empty until the check has told which it is.
    format = models.CharField(max_length=4, choices=Format.choices, blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.AWAITING)
    # Of the archive, as the customer has it.
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    # Empty until a commit is asked for.
    unknown_classes = models.CharField(max_length=6, choices=UnknownClasses.choices, blank=True, default="")
    # The job of the check, then that of the commit.
    job = TenantForeignKey(Job, null=True, related_name="+")
    # What the check found, and what the commit did (counts; a line an image is in S3, at its own bytes' address).
    report = models.JSONField(null=True)
    result = models.JSONField(null=True)
    results_sha256 = models.CharField(max_length=64, default="")
    error = models.JSONField(null=True)
    created_by = TenantForeignKey(Member, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["AWAITING", "CHECKING", "CHECKED", "COMMITTING", "DONE", "FAILED"]),
                name="import_status_valid",
            ),
            models.CheckConstraint(condition=Q(format__in=["", "COCO", "VOC", "YOLO"]), name="import_format_valid"),
            # Nothing is half-published.
            models.CheckConstraint(
                condition=~Q(status__in=["CHECKED", "COMMITTING", "DONE"]) | (~Q(format="") & Q(report__isnull=False)),
                name="import_checked_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status="DONE") | (Q(result__isnull=False) & ~Q(results_sha256="")),
                name="import_done_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "project", "-id"], condition=Q(deleted_at=None), name="import_list"),
        ]


class ImportChunk(TenantModel):
    """Some images of a commit that is under way: one that is broken off goes on, and ends as if it had not been.

    Written when the chunk's images are registered, `is_done` when they are labelled; gone when the import is DONE.
    """

    # Python keeps the word `import` to itself.
    source = TenantForeignKey(Import, related_name="chunks")
    # 0, 1, … in the order of the archive.
    number = models.PositiveIntegerField()
    # An image each, as the results will tell it.
    lines = models.JSONField()
    is_done = models.BooleanField(default=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "source", "number"], name="import_chunk_unique"),
        ]
