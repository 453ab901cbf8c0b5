"""What was done, by whom. The database refuses to change or remove a line."""

from django.db import models
from django.utils import timezone

from tenants.models.base import TenantModel


class AuditEvent(TenantModel):
    at = models.DateTimeField(default=timezone.now, editable=False)
    # "member", "key", "operator" or "system", and its id where it has one.
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField(null=True)
    # Noun and past verb, such as "project.created".
    action = models.CharField(max_length=60)
    target_id = models.UUIDField(null=True)
    detail = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, default="")
