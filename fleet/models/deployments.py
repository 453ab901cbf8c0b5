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
    model = TenantForeignKey(Model, related_name="+")
    promoted_by = TenantForeignKey(Member, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant_id", "project", "-id"], name="promotion_current")]
