"""A tenant: one manufacturer, owner of everything else."""

from django.db import models
from django.utils import timezone

from tenants.ids import uuid7


class Tenant(models.Model):
    """Its own row is all a tenant sees of this table."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    # Stands in the web address; given by the operator, so its uniqueness tells tenants nothing.
    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name
