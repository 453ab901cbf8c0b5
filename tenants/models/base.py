"""What every tenant-owned model has."""

from typing import Any, ClassVar, Self

from django.db import models

from tenants.ids import uuid7
from tenants.managers import TenantManager
from tenants.scope import ForeignScope, current_tenant_id


class TenantModel(models.Model):
    """A row of one tenant.

    The database's primary key is `(tenant_id, id)`; `id` alone is the key of Django's state, because Django's
    composite keys take no foreign keys. The table must be handed to `tenants.row_security.isolate`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant_id = models.UUIDField(default=current_tenant_id, editable=False)

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        default_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_foreign()
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes this row in a statement that names the tenant (the collector's would not)."""
        self._refuse_foreign()
        return type(self).objects.filter(pk=self.pk).delete()

    def _refuse_foreign(self) -> None:
        if self.tenant_id != current_tenant_id():
            raise ForeignScope(f"{self._meta.label} of another tenant")
