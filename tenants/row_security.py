"""Migration helpers: composite keys, row-level security, grants and definer functions.

Every tenant-owned table is made by `CreateModel` and then handed to `isolate`, so the rule stands in one place and
the catalog test can hold the database against it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import migrations

APP, MAINT, DEFINER, OWNER = "myriad_app", "myriad_maint", "myriad_definer", "myriad_owner"
# nullif: after a transaction-local set_config the setting reads '' on that connection, not NULL.
CURRENT_TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"


def isolate(
    table: str,
    *,
    foreign_keys: Mapping[str, str] | None = None,
    global_foreign_keys: Mapping[str, str] | None = None,
    grants: str = "SELECT, INSERT, UPDATE, DELETE",
) -> list[migrations.RunSQL]:
    """Operations that turn a freshly made table into a tenant-owned one.

    `foreign_keys` maps a column to the tenant-owned table it points at (composite constraint);
    `global_foreign_keys` maps a column to a table without tenant. `grants` is what the server's role may do.
    """
    statements = [
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (tenant_id, id)",
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants_tenant (id)",
        *_composite_keys(table, foreign_keys or {}),
        *(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fk FOREIGN KEY ({column}) REFERENCES {target} (id)"
            for column, target in (global_foreign_keys or {}).items()
        ),
        *_secure(table, f"tenant_id = {CURRENT_TENANT}"),
        f"GRANT {grants} ON {table} TO {APP}",
    ]
    return [migrations.RunSQL(tuple(statements), migrations.RunSQL.noop)]


def tie(table: str, foreign_keys: Mapping[str, str]) -> list[migrations.RunSQL]:
    """Composite constraints for columns that came to a tenant-owned table later.

    They bind what is written from now on. A later migration must `validate` them, for the lock that adds them lasts
    until the transaction ends, and nobody can write while the rows that are there are read.
    """
    statements = tuple(f"{statement} NOT VALID" for statement in _composite_keys(table, foreign_keys))
    return [migrations.RunSQL(statements, migrations.RunSQL.noop)]


def validate(table: str, foreign_keys: Mapping[str, str]) -> list[migrations.RunPython]:
    """Holds the rows that were there before against the constraints of `tie`, while others read and write.

    For a migration with `atomic = False`. PostgreSQL reads the rows as the tables' owner, and where row-level security
    is forced the owner sees none, so that whatever is there would pass. It is not forced meanwhile; the other roles
    are bound all the time.
    """
    tables = sorted({table, *foreign_keys.values()})
    constraints = [f"{table}_{column}_fk" for column in foreign_keys]

    def run(_: Any, schema_editor: Any) -> None:
        if schema_editor.connection.in_atomic_block:
            raise ValueError("validate needs a migration with atomic = False, which holds no lock to its end")
        with schema_editor.connection.cursor() as cursor:
            try:
                for each in tables:
                    cursor.execute(f"ALTER TABLE {each} NO FORCE ROW LEVEL SECURITY")
                for constraint in constraints:
                    cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")
            finally:
                for each in tables:
                    cursor.execute(f"ALTER TABLE {each} FORCE ROW LEVEL SECURITY")

    return [migrations.RunPython(run, migrations.RunPython.noop, atomic=False)]


def _composite_keys(table: str, foreign_keys: Mapping[str, str]) -> list[str]:
    return [
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fk FOREIGN KEY (tenant_id, {column})"
        f" REFERENCES {target} (tenant_id, id)"
        for column, target in foreign_keys.items()
    ]


def isolate_tenants(table: str) -> list[migrations.RunSQL]:
    """The table of tenants itself: a tenant sees its own row."""
    statements = [*_secure(table, f"id = {CURRENT_TENANT}"), f"GRANT SELECT, INSERT, UPDATE ON {table} TO {APP}"]
    return [migrations.RunSQL(tuple(statements), migrations.RunSQL.noop)]


def share(table: str, *, grants: str) -> list[migrations.RunSQL]:
    """A table without tenant; it must stand, with its reason, in the catalog test's allow-list."""
    statements = [
        f"GRANT {grants} ON {table} TO {APP}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {MAINT}",
    ]
    return [migrations.RunSQL(tuple(statements), migrations.RunSQL.noop)]


def _secure(table: str, own_rows: str) -> list[str]:
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} TO {APP} USING ({own_rows}) WITH CHECK ({own_rows})",
        f"CREATE POLICY maint ON {table} TO {MAINT} USING (true) WITH CHECK (true)",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {MAINT}",
    ]


def let_definer(table: str, *, read: Sequence[str] = (), write: Sequence[str] = ()) -> list[migrations.RunSQL]:
    """Lets the definer functions read and write the named columns of every tenant's rows, and nothing else."""
    statements = [f"CREATE POLICY definer ON {table} TO {DEFINER} USING (true) WITH CHECK (true)"]
    if read:
        statements.append(f"GRANT SELECT ({', '.join(read)}) ON {table} TO {DEFINER}")
    if write:
        statements.append(f"GRANT UPDATE ({', '.join(write)}) ON {table} TO {DEFINER}")
    return [migrations.RunSQL(tuple(statements), migrations.RunSQL.noop)]


def definer_function(signature: str, returns: str, body: str, *, stable: bool = False) -> list[migrations.RunSQL]:
    """A SECURITY DEFINER function owned by `myriad_definer`, which only the server's role may execute.

    `signature` is `name(argument type, …)`. The owner of the schema lends the definer CREATE for the moment that
    ALTER … OWNER needs it.
    """
    name, arguments = signature.split("(", 1)
    types = ", ".join(part.split()[-1] for part in arguments.rstrip(")").split(",") if part.strip())
    function = f"{name}({types})"
    statements = [
        (
            f"CREATE FUNCTION {signature} RETURNS {returns} LANGUAGE plpgsql {'STABLE' if stable else 'VOLATILE'}"
            f" SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $function${body}$function$"
        ),
        f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {function} TO {APP}",
        f"GRANT CREATE ON SCHEMA public TO {DEFINER}",
        f"ALTER FUNCTION {function} OWNER TO {DEFINER}",
        f"REVOKE CREATE ON SCHEMA public FROM {DEFINER}",
    ]
    return [migrations.RunSQL(tuple(statements), f"DROP FUNCTION {function}")]
