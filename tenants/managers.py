"""The manager of tenant-owned models: the first of two guards, in front of row-level security."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Self, TypeVar, cast

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
        super()._fetch_all()

    def iterator(self, *args: Any, **kwargs: Any) -> Iterator[M]:
        self._check()
        return self._while_in_scope(super().iterator(*args, **kwargs))

    def _while_in_scope(self, rows: Iterator[M]) -> Iterator[M]:
        # Runs at the first row, which may be asked for when the scope is over; only then is the query sent.
        self._check()
        yield from rows

    def _merge_sanity_check(self, other: models.QuerySet[Any]) -> None:
        self._refuse_other_tenant(other)
        super()._merge_sanity_check(other)  # type: ignore[misc]  # not in the stubs

    def _combinator_query(self, combinator: str, *others: models.QuerySet[Any], **options: Any) -> Self:
        for other in others:
            self._refuse_other_tenant(other)
        return cast("Self", super()._combinator_query(combinator, *others, **options))  # type: ignore[misc]  # as above

    def _refuse_other_tenant(self, other: models.QuerySet[Any]) -> None:
        if getattr(other, "_made_for", None) != self._made_for:
            raise ForeignScope("queries made in different tenants' scopes were combined")

    def raw(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refused: SQL of one's own does not name the tenant, so only one of the two guards would stand."""
        raise TypeError(f"{self.model._meta.label}.objects takes no raw SQL; it would pass by the manager's filter")

    def update(self, **kwargs: Any) -> int:
        """Django's update, which may not give rows to another tenant."""
        self._check()
        if "tenant_id" in kwargs:
            raise ForeignScope(f"{self.model._meta.label} does not change its tenant")
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Deletes in one statement that names the tenant.

        Django's collector would delete by `id` alone; what depends on a row is the database's affair here.
        Raises TypeError on a slice or the like, whose limits a DELETE would not keep.
        """
        self._check()
        query = self.query
        if query.is_sliced or query.distinct or query.combinator or self._fields is not None:  # type: ignore[attr-defined]  # not in the stubs
            raise TypeError("delete() takes a plain filter: no slice, distinct(), values() or union()")
        deleted = self._raw_delete(self.db)
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
    *("aggregate", "aiterator", "count", "create", "exists", "explain", "_update", "bulk_update"),
    *("get_or_create", "update_or_create", "_insert", "_raw_delete", "resolve_expression"),
):
    setattr(TenantQuerySet, _name, _guarded(_name))


class TenantManager(models.Manager[M]):
    """Starts every query from the rows of the current scope's tenant; without a scope it raises NoScope."""

    use_in_migrations = False
    _queryset_class = TenantQuerySet

    def get_queryset(self) -> TenantQuerySet[M]:
        queryset = cast("TenantQuerySet[M]", super().get_queryset())
        return queryset.bound(current_tenant_id())
