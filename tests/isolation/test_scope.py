"""A scope ends with its transaction, stays in its thread, and is never another's."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error, connection, connections, transaction

from projects.models import Project
from tenants.scope import ForeignScope, NoScope, scope_or_none, tenant_scope
from tests.isolation.world import World, tenant_tables

TABLES = sorted(tenant_tables().items())


def seen(table: str = "projects_project", column: str = "tenant_id") -> set[uuid.UUID]:
    """Whose rows plain SQL finds."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {column} FROM {table}")
        return {tenant for (tenant,) in cursor.fetchall()}


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.tenant_id', true), '')")
        value: str = cursor.fetchone()[0]
        return value


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
        return pid


@pytest.mark.parametrize(("table", "column"), TABLES)
def test_sql_sees_the_scopes_tenant_and_without_one_nothing(table: str, column: str, world: World) -> None:
    assert seen(table, column) == set()
    for holdings in (world.acme, world.bolt):
        with tenant_scope(holdings.tenant):
            assert seen(table, column) == {holdings.tenant}
    assert seen(table, column) == set()


def test_a_reused_connection_keeps_nothing_of_the_scope(world: World) -> None:
    assert connections.settings["default"]["CONN_MAX_AGE"] > 0
    pid = backend()
    with tenant_scope(world.acme.tenant):
        assert (backend(), setting()) == (pid, str(world.acme.tenant))
    assert (backend(), setting(), seen()) == (pid, "", set())


def test_a_connection_that_served_a_request_keeps_nothing_of_it(world: World) -> None:
    pid = backend()
    assert world.cast.alice.api.get("/api/v1/projects").status_code == 200
    assert (backend(), setting(), scope_or_none(), seen()) == (pid, "", None, set())


def test_a_scope_that_failed_leaves_nothing(world: World) -> None:
    pid = backend()
    with pytest.raises(Error), tenant_scope(world.acme.tenant), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert (backend(), setting(), scope_or_none(), seen()) == (pid, "", None, set())


def test_a_thread_begun_inside_a_scope_has_none(world: World) -> None:
    def inside_thread() -> tuple[uuid.UUID | None, bool, set[uuid.UUID]]:
        try:
            try:
                refused = not Project.objects.count()
            except NoScope:
                refused = True
            return scope_or_none(), refused, seen()
        finally:
            connection.close()

    with tenant_scope(world.acme.tenant), ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside_thread).result() == (None, True, set())
        assert scope_or_none() == world.acme.tenant


def test_two_threads_in_two_scopes_do_not_meet(world: World) -> None:
    both_inside = threading.Barrier(2, timeout=10)

    def look(tenant_id: uuid.UUID) -> set[uuid.UUID]:
        try:
            with tenant_scope(tenant_id):
                both_inside.wait()
                found = seen() | set(Project.objects.values_list("tenant_id", flat=True))
                both_inside.wait()
                return found
        finally:
            connection.close()

    tenants = [world.acme.tenant, world.bolt.tenant]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(look, tenants)) == [{tenant} for tenant in tenants]


def test_a_pools_thread_forgets_the_scope_of_its_last_task(world: World) -> None:
    def visit() -> None:
        with tenant_scope(world.acme.tenant):
            assert Project.objects.exists()

    def look() -> tuple[uuid.UUID | None, set[uuid.UUID]]:
        try:
            return scope_or_none(), seen()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(visit).result()
        assert pool.submit(look).result() == (None, set())


def test_an_event_loops_thread_takes_no_scope(world: World) -> None:
    """Its tasks share the thread, and would share the scope."""

    async def enter() -> None:
        with tenant_scope(world.acme.tenant):
            pass

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(enter())
    assert scope_or_none() is None


def test_the_same_tenants_scope_inside_joins(world: World) -> None:
    with tenant_scope(world.acme.tenant):
        with tenant_scope(world.acme.tenant):
            assert seen() == {world.acme.tenant}
        assert (seen(), scope_or_none()) == ({world.acme.tenant}, world.acme.tenant)
        assert Project.objects.exists()


def test_another_tenants_scope_inside_is_refused_and_the_outer_goes_on(world: World) -> None:
    with tenant_scope(world.acme.tenant):
        with pytest.raises(ForeignScope), tenant_scope(world.bolt.tenant):
            pytest.fail("entered")
        assert (seen(), scope_or_none()) == ({world.acme.tenant}, world.acme.tenant)
        assert set(Project.objects.values_list("tenant_id", flat=True)) == {world.acme.tenant}


def test_a_scope_takes_a_tenants_id_only(world: World) -> None:
    for wrong in (str(world.acme.tenant), None, world.acme.tenant.bytes, ""):
        with pytest.raises(TypeError), tenant_scope(wrong):  # type: ignore[arg-type]  # the mistake in question
            pytest.fail("entered")


def test_a_savepoints_rollback_keeps_the_scope(world: World) -> None:
    with tenant_scope(world.acme.tenant):
        with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert (setting(), seen()) == (str(world.acme.tenant), {world.acme.tenant})


def _leave_well() -> None:
    return


def _leave_by_error() -> None:
    raise LookupError


def _leave_by_database_error() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


@pytest.mark.parametrize("leave", [_leave_well, _leave_by_error, _leave_by_database_error])
def test_a_scope_inside_a_transaction_leaves_no_setting_behind(leave: Callable[[], None], world: World) -> None:
    with transaction.atomic():
        try:
            with tenant_scope(world.acme.tenant):
                assert seen() == {world.acme.tenant}
                leave()
        except (LookupError, Error):
            assert leave is not _leave_well
        assert (setting(), seen(), scope_or_none()) == ("", set(), None)
        with tenant_scope(world.bolt.tenant):
            assert seen() == {world.bolt.tenant}
        assert seen() == set()


def test_a_sessions_own_setting_does_not_widen_a_scope(world: World) -> None:
    """What our code never does (see test_statements), done anyway."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant_id', %s, false)", [str(world.acme.tenant)])
    try:
        with tenant_scope(world.bolt.tenant):
            assert seen() == {world.bolt.tenant}
        with pytest.raises(NoScope):
            Project.objects.exists()
    finally:
        connection.close()
    assert seen() == set()


@pytest.mark.parametrize("nonsense", ["", "acme", "00000000-0000-0000-0000-000000000000"])
def test_a_setting_that_names_nobody_shows_nothing(nonsense: str, world: World) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [nonsense])
        try:
            assert seen() == set()
        except Error as error:
            # Not a UUID: refused with an error, and no row.
            assert "invalid input syntax for type uuid" in str(error)  # noqa: PT017 - one of two ways to be safe
            transaction.set_rollback(True)
