"""How much a tenant may have, and how much it has."""

from django.db import models
from django.db.models import Q

from tenants.models.base import TenantModel

GIGABYTE = 1_000_000_000
RESOURCES = ("images", "bytes", "projects", "members")


class Quota(TenantModel):
    """One row a tenant. Usage is counted in the transaction that uses, under the row's lock."""

    images_limit = models.PositiveBigIntegerField(default=100_000)
    images_used = models.PositiveBigIntegerField(default=0)
    # Bytes as uploaded; what ingest derives (thumbnails) is not charged.
    bytes_limit = models.PositiveBigIntegerField(default=200 * GIGABYTE)
    bytes_used = models.PositiveBigIntegerField(default=0)
    projects_limit = models.PositiveBigIntegerField(default=100)
    projects_used = models.PositiveBigIntegerField(default=0)
    members_limit = models.PositiveBigIntegerField(default=200)
    members_used = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id"], name="quota_one_a_tenant"),
            *(
                models.CheckConstraint(
                    # A limit lowered below its usage is lawful: only growth is refused, by tenants.domain.quotas.
                    condition=Q(**{f"{name}_used__gte": 0}),
                    name=f"quota_{name}_counted",
                )
                for name in RESOURCES
            ),
        ]
