"""Which model answers at a project's stable address."""

from django.db import models
from django.utils import timezone

from projects.models import Project
from tenants.fields import TenantForeignKey
from tenants.models import Member, TenantModel
from training.models import Model


class Promotion(TenantModel):
    """From here on this model answers for its project; the newest promotion counts, the others are its history."""

    project = TenantForeignKey(Project, related_name="promotions")
    # 1, 2, … in the project: which is the newest, whatever the clocks of processes say.
    number = models.PositiveIntegerField()
    model = TenantForeignKey(Model, related_name="+")
    promoted_by = TenantForeignKey(Member, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "project", "number"], name="promotion_number_unique"),
        ]
        indexes = [models.Index(fields=["tenant_id", "project", "-id"], name="promotion_list")]
