"""The workers that are alive. They belong to the service, not to a tenant."""

from django.db import models
from django.utils import timezone

from tenants.ids import uuid7


class Worker(models.Model):
    """One worker process and its slots; a row not refreshed for a lease's time is dead."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    pool = models.CharField(max_length=40)
    slots = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    seen_at = models.DateTimeField(default=timezone.now)
    # Set on SIGTERM: takes no more work, and goes when what it has is done.
    draining = models.BooleanField(default=False)


class Dispatcher(models.Model):
    """One row: when the dispatcher last turned. Tells `/readyz` and operators that work is being handed out."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seen_at = models.DateTimeField(default=timezone.now)
