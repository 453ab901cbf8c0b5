"""Fields that tie rows of one tenant together."""

from typing import Any, cast

from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import Exact
from django.db.models.sql.where import WhereNode

from tenants.scope import current_tenant_id


class TenantForeignKey(models.ForeignKey[Any, Any]):
    """A foreign key within one tenant.

    The database holds the composite constraint `(tenant_id, x_id) → (tenant_id, id)`, made by
    `tenants.row_security.isolate`; Django's own single-column constraint and index are left out. Joins compare the
    tenant too, so that they can use the composite key and cannot leave the tenant.
    """

    def __init__(self, to: Any, on_delete: Any = models.DO_NOTHING, **options: Any) -> None:
        options |= {"db_constraint": False, "db_index": False}
        super().__init__(to, on_delete, **options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        del options["db_constraint"], options["db_index"]
        return name, path, args, options

    def get_extra_restriction(self, alias: str | None, related_alias: str) -> WhereNode:
        theirs, ours = (
            cast("models.Field[Any, Any]", model._meta.get_field("tenant_id"))
            for model in (self.related_model, self.model)
        )
        # An exclude() over a reverse relation has no table of theirs: Django leaves it to the outer query.
        tenant = Col(alias, theirs) if alias else current_tenant_id()
        return WhereNode([cast("Any", Exact(Col(related_alias, ours), tenant))])
