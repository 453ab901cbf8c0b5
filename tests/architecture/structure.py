"""The part of the catalog's rules that is about tables, views, policies, indexes and constraints."""

from collections.abc import Iterable
from typing import Any

from tests.architecture import allowed
from tests.architecture.allowed import APP, DEFINER, MAINT, OWNER, TENANTS
from tests.architecture.reading import OURS, RELATIONS, Catalog

SETTING = "(NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid"


def tables(catalog: Catalog) -> Iterable[str]:
    """Each table is known, belongs to the owner, and has a tenant or stands in the allow-list."""
    columns = catalog.rows(
        "SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull, attidentity <> '' OR atthasdef"
        " FROM pg_attribute WHERE attname IN ('id', 'tenant_id') AND attnum > 0 AND NOT attisdropped"
    )
    kinds = {(table, column): rest for table, column, *rest in columns}
    for table in catalog.owned:
        for column in ("tenant_id", "id"):
            if kinds.get((table, column)) != ["uuid", True, False]:
                yield f"{table}.{column} is not a plain `uuid NOT NULL`, and the table is not in the allow-list"
    for table in allowed.SHARED_TABLES:
        if table not in catalog.tables:
            yield f"{table} is in the allow-list, but not in the database"
        if (table, "tenant_id") in kinds:
            yield f"{table} has a tenant_id, but is allowed to be shared"
    for table, owner in catalog.rows(
        f"SELECT c.oid::regclass::text, c.relowner::regrole::text FROM {RELATIONS}"
        f" WHERE c.relkind <> 'c' AND c.relowner <> '{OWNER}'::regrole"
    ):
        yield f"{table} belongs to {owner}, not to {OWNER}"


def other_relations(catalog: Catalog) -> Iterable[str]:
    """Views run as whoever asks; nothing that row-level security cannot guard."""
    for name, kind, options in catalog.rows(
        f"SELECT c.oid::regclass::text, c.relkind, c.reloptions FROM {RELATIONS} WHERE c.relkind IN ('v', 'm', 'f')"
    ):
        if kind != "v":
            yield f"{name} is a materialized view or foreign table, which row-level security does not reach"
        elif not {"security_invoker=true", "security_invoker=on", "security_invoker=1"} & set(options or []):
            yield f"view {name} is not security_invoker"
    for table, rule in catalog.rows(
        "SELECT ev_class::regclass::text, rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE rulename <> '_RETURN' AND {OURS}"
    ):
        yield f"rule {rule} on {table} would run as the table's owner"
    for (name,) in catalog.rows("SELECT extname FROM pg_extension"):
        if name not in allowed.EXTENSIONS:
            yield f"extension {name} is not in the allow-list"


def row_security(catalog: Catalog) -> Iterable[str]:
    for table, enabled, forced in catalog.rows(
        f"SELECT c.oid::regclass::text, c.relrowsecurity, c.relforcerowsecurity FROM {RELATIONS}"
        " WHERE c.relkind IN ('r', 'p')"
    ):
        if table not in allowed.SHARED_TABLES and not (enabled and forced):
            yield f"{table}: row-level security is not both enabled and forced"


def policies(catalog: Catalog) -> Iterable[str]:
    """Exactly the policies expected, in words and roles; so none can call a VOLATILE function unseen."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    for table, *parts in catalog.rows(
        "SELECT polrelid::regclass::text, polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid),"
        " pg_get_expr(polwithcheck, polrelid), polroles::regrole[]::text FROM pg_policy"
    ):
        found.setdefault(table, set()).add(tuple(parts))
    for table in [*catalog.owned, TENANTS]:
        own = f"({'id' if table == TENANTS else 'tenant_id'} = {SETTING})"
        wanted = {("tenant", "*", True, own, own, f"{{{APP}}}"), ("maint", "*", True, "true", "true", f"{{{MAINT}}}")}
        if table in allowed.DEFINER_COLUMNS:
            wanted.add(("definer", "*", True, "true", "true", f"{{{DEFINER}}}"))
        for policy in found.get(table, set()) - wanted:
            yield f"{table}: unexpected policy {policy}"
        for policy in wanted - found.get(table, set()):
            yield f"{table}: policy {policy[0]} is missing or altered"
    for table in found.keys() & allowed.SHARED_TABLES.keys():
        yield f"{table} is shared, but has policies"


def volatile_functions(catalog: Catalog) -> Iterable[str]:
    """A VOLATILE function in a policy is called for each row of the table: 2,000 times slower."""
    for table, policy, function in catalog.rows(
        "SELECT polrelid::regclass::text, polname, p.oid::regproc::text FROM pg_policy,"
        r" regexp_matches(concat(polqual::text, polwithcheck::text), ':(?:op)?funcid (\d+)', 'g') AS called,"
        " pg_proc p WHERE p.oid = called[1]::oid AND p.provolatile = 'v'"
    ):
        yield f"{table}: policy {policy} calls the VOLATILE function {function}"


def indexes(catalog: Catalog) -> Iterable[str]:
    """On a tenant-owned table all begin with tenant_id, or stand in the allow-list and are not unique."""
    for table, index, unique, first, columns, valid in catalog.rows(
        "SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, i.indisunique OR i.indisexclusion,"
        " (SELECT attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]),"
        " (SELECT array_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k)"
        "    FROM generate_series(1, i.indnkeyatts) k)::text[], i.indisvalid FROM pg_index i"
    ):
        if table not in catalog.owned:
            continue
        if first != "tenant_id" and (unique or index not in allowed.GLOBAL_INDEXES):
            yield f"{index} on {table} does not begin with tenant_id{' and is unique' if unique else ''}: {columns}"
        if not valid:
            yield f"{index} on {table} is not valid"
    keys = dict(catalog.rows("SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
                             " WHERE contype = 'p'"))  # fmt: skip
    for table in catalog.owned:
        if keys.get(table) != "PRIMARY KEY (tenant_id, id)":
            yield f"{table}: the primary key is not (tenant_id, id) but {keys.get(table)}"


FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, conname || ': ' || pg_get_constraintdef(c.oid), confrelid::regclass::text,
           (SELECT array_agg(attname::text ORDER BY n) FROM unnest(conkey) WITH ORDINALITY u(k, n)
              JOIN pg_attribute ON attrelid = conrelid AND attnum = k),
           (SELECT array_agg(attname::text ORDER BY n) FROM unnest(confkey) WITH ORDINALITY u(k, n)
              JOIN pg_attribute ON attrelid = confrelid AND attnum = k),
           confdeltype = 'a' AND confupdtype = 'a'
      FROM pg_constraint c WHERE contype = 'f'
"""


def foreign_keys(catalog: Catalog) -> Iterable[str]:
    """Between tenant-owned tables they compare the tenant: the checks of foreign keys bypass row-level security."""
    for table, key, target, columns, target_columns, plain in catalog.rows(FOREIGN_KEYS):
        if table not in catalog.owned:
            if target in catalog.owned or target == TENANTS:
                yield f"{table} is shared, but points at a tenant's: {key}"
        elif target in catalog.owned:
            if len(columns) != 2 or columns[0] != "tenant_id" or target_columns != ["tenant_id", "id"]:
                yield f"{table}: a foreign key does not compare the tenant: {key}"
        elif target != TENANTS and (table, *columns, target) not in allowed.GLOBAL_FOREIGN_KEYS:
            yield f"{table} points at a shared table and is not in the allow-list: {key}"
        if not plain:
            yield f"{table}: a foreign key acts on deletes or updates: {key}"


def validated(catalog: Catalog) -> Iterable[str]:
    """A constraint that was added NOT VALID holds for what is written since, and for nothing before."""
    for table, name in catalog.rows(
        "SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE NOT convalidated AND conrelid <> 0"
    ):
        yield f"{table}: the constraint {name} was never validated"


def ids(catalog: Catalog) -> Iterable[str]:
    """Each id points somewhere, and the tenant's at the tenants."""
    bound, of_tenants = set(), set()
    for table, _, target, columns, *_ in catalog.rows(FOREIGN_KEYS):
        bound |= {(table, column) for column in columns}
        if target == TENANTS and columns == ["tenant_id"]:
            of_tenants.add(table)
    for table in set(catalog.owned) - of_tenants:
        yield f"{table}: tenant_id may name a tenant that is not there"
    for table, column in catalog.rows(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE atttypid = 'uuid'::regtype AND attnum > 0"
    ):
        if table in catalog.owned and column != "id" and (table, column) not in bound | allowed.FREE_IDS.keys():
            yield f"{table}.{column} is an id without a foreign key"


def triggers(catalog: Catalog) -> Iterable[str]:
    found = dict(catalog.rows("SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger"
                              " WHERE NOT tgisinternal AND tgenabled = 'O'"))  # fmt: skip
    if found != allowed.TRIGGERS:
        yield f"the triggers in force are not those expected: {found}"
