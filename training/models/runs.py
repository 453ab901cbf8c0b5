"""Runs: one training of one recipe on one snapshot."""

from django.db import models
from django.utils import timezone

from projects.models import Project, Snapshot
from tenants.fields import TenantForeignKey
from tenants.models import Job, Member, TenantModel


class Run(TenantModel):
    """What is to be trained, on what. How far it is, and how it ended, is its job's to say."""

    project = TenantForeignKey(Project, related_name="runs")
    # 1, 2, … within the project.
    number = models.PositiveIntegerField()
    snapshot = TenantForeignKey(Snapshot, related_name="runs")
    recipe = models.CharField(max_length=40)
    recipe_version = models.PositiveIntegerField()
    seed = models.PositiveIntegerField()
    job = TenantForeignKey(Job, related_name="+")
    # Name of a part → {"key", "sha256", "step"}: what a resumed attempt goes on from. Written under the lease.
    checkpoints = models.JSONField(default=dict)
    # [[step, {"loss part": value}]], thinned: how the losses went.
    curve = models.JSONField(default=list)
    created_by = TenantForeignKey(Member, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "project", "number"], name="run_number_unique"),
            models.UniqueConstraint(fields=["tenant_id", "job"], name="run_job_unique"),
        ]
        indexes = [models.Index(fields=["tenant_id", "project", "-id"], name="run_list")]
