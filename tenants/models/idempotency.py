"""What a POST with an Idempotency-Key was, and what it was answered."""

from django.db import models
from django.utils import timezone

from tenants.fields import TenantForeignKey
from tenants.models.access import Member
from tenants.models.base import TenantModel


class IdempotencyRecord(TenantModel):
    """One key of one member. `status` is 0 while the first request is at work, until `locked_until`."""

    member = TenantForeignKey(Member)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(null=True)
    location = models.CharField(max_length=500, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    locked_until = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant_id", "member", "key"], name="idempotency_key_unique")]
