"""A project and its label book."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.fields import TenantForeignKey
from tenants.models import TenantModel


class Project(TenantModel):
    """One inspection problem."""

    class Kind(models.TextChoices):
        DETECTION = "DETECTION"
        CLASSIFICATION = "CLASSIFICATION"
        ANOMALY = "ANOMALY"

        @property
        def takes_boxes(self) -> bool:
            """Whether its images are annotated with boxes, and not with one class each."""
            return self is Project.Kind.DETECTION

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=14, choices=Kind.choices)
    description = models.TextField(blank=True, default="")
    # Registered images that are not deleted, whatever their status; counted under the quota's lock.
    image_count = models.PositiveIntegerField(default=0)
    # Of those, the images with an accepted annotation; counted under the project's lock.
    labelled_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    @property
    def takes_boxes(self) -> bool:
        """As its kind says."""
        return self.Kind(self.kind).takes_boxes

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "name"], condition=Q(deleted_at=None), name="project_name_unique"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["DETECTION", "CLASSIFICATION", "ANOMALY"]), name="project_kind_valid"
            ),
        ]


class DefectClass(TenantModel):
    """One entry of the label book: what counts as this defect, and what does not."""

    project = TenantForeignKey(Project, related_name="classes")
    name = models.CharField(max_length=100)
    definition = models.TextField(blank=True, default="")
    # Measurable, where it can be: "deeper than 0.05 mm", "longer than 2 mm".
    rule = models.TextField(blank=True, default="")
    color = models.CharField(max_length=7, default="#d97706")
    # Over the accepted annotations of images that are not deleted; counted under the project's lock.
    image_count = models.PositiveIntegerField(default=0)
    box_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "project", "name"], condition=Q(deleted_at=None), name="class_name_unique"
            ),
        ]
