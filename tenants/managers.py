"""The manager of tenant-owned models: the first of two guards, in front of row-level security."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, TypeVar, cast

from django.db import models

from tenants.scope import ForeignScope, current_tenant_id

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Filters by the tenant of the scope it was made in, and runs only inside that scope."""

    _made_for: uuid.UUID | None = None

    def bound(self, tenant_id: uuid.UUID) -> Self:
        """This query set, restricted to one tenant's rows."""
        restricted = self.filter(tenant_id=tenant_id)
        restricted._made_for = tenant_id
        return restricted

    def _check(self) -> None:
        tenant_id = current_tenant_id()
        if self._made_for is not None and self._made_for != tenant_id:
            raise ForeignScope("a query made in one tenant's scope was run in another's")

    def _clone(self) -> Self:
        clone = cast("Self", super()._clone())  # type: ignore[misc]  # not in the stubs
        clone._made_for = self._made_for
        return clone

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._check()
        super()._fetch_all()  # type: ignore[misc]  # not in the stubs

    def iterator(self, *args: Any, **kwargs: Any) -> Iterator[M]:
        self._check()
        return super().iterator(*args, **kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Deletes in one statement that names the tenant.

        Django's collector would delete by `id` alone; what depends on a row is the database's affair here.
        """
        self._check()
        deleted = self._raw_delete(self.db)  # type: ignore[attr-defined]  # not in the stubs
        return deleted, {self.model._meta.label: deleted}

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        tenant_id = current_tenant_id()
        rows = list(objs)
        for row in rows:
            if row.tenant_id != tenant_id:  # type: ignore[attr-defined]  # every tenant-owned model has it
                raise ForeignScope(f"{self.model._meta.label} of another tenant")
        return super().bulk_create(rows, *args, **kwargs)


def _guarded(name: str) -> Callable[..., Any]:
    inherited = getattr(models.QuerySet, name)

    def method(self: TenantQuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        self._check()
        return inherited(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = inherited.__doc__
    return method


for _name in (
    *("aggregate", "count", "create", "exists", "explain", "update", "_update", "bulk_update"),
    *("get_or_create", "update_or_create", "_insert", "_raw_delete"),
):
    setattr(TenantQuerySet, _name, _guarded(_name))


class TenantManager(models.Manager.from_queryset(TenantQuerySet)[M]):  # type: ignore[misc]  # made at run time
    """Starts every query from the rows of the current scope's tenant; without a scope it raises NoScope."""

    use_in_migrations = False

    def get_queryset(self) -> TenantQuerySet[M]:
        queryset = cast("TenantQuerySet[M]", super().get_queryset())
        return queryset.bound(current_tenant_id())
