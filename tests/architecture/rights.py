"""The part of the catalog's rules that is about roles, grants and definer functions."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.architecture import allowed
from tests.architecture.allowed import APP, DEFINER, MAINT, OWNER, TENANTS
from tests.architecture.reading import OURS, Catalog

ROLES = f"('{OWNER}', '{APP}', '{MAINT}', '{DEFINER}')"


def roles(catalog: Catalog) -> Iterable[str]:
    for role, strong, login in catalog.rows(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication, rolcanlogin"
        f" FROM pg_roles WHERE rolname IN {ROLES}"
    ):
        if strong:
            yield f"{role} is a superuser, bypasses row-level security, or may make roles, databases or replicas"
        if login is (role == DEFINER):
            yield f"{role} {'may' if login else 'may not'} log in"
    memberships = catalog.rows(
        "SELECT roleid::regrole::text, member::regrole::text, admin_option, inherit_option, set_option"
        f" FROM pg_auth_members WHERE member::regrole::text IN {ROLES} OR roleid::regrole::text IN {ROLES}"
    )
    for membership in memberships:
        # The owner gives functions to the definer, and has nothing of its rights.
        if membership != (DEFINER, OWNER, False, False, True):
            yield f"{membership[1]} is a member of {membership[0]}: {membership[2:]}"
    for role, count in catalog.rows(
        "SELECT refobjid::regrole::text, count(*) FROM pg_shdepend WHERE deptype = 'o'"
        " AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
        f" AND (refobjid IN ('{APP}'::regrole, '{MAINT}'::regrole)"
        f"   OR refobjid = '{DEFINER}'::regrole AND classid <> 'pg_proc'::regclass) GROUP BY 1"
    ):
        yield f"{role} owns {count} objects it should not"


def settings(catalog: Catalog) -> Iterable[str]:
    """Nothing that a session begins with gives it a tenant, or another search path or role."""
    found = set(
        catalog.rows(
            "SELECT CASE setrole WHEN 0 THEN 'the database' ELSE setrole::regrole::text END, unnest(setconfig)"
            " FROM pg_db_role_setting WHERE setdatabase IN"
            " (0, (SELECT oid FROM pg_database WHERE datname = current_database()),"
            "  (SELECT oid FROM pg_database WHERE datname = %s))",
            catalog.database,
        )
    )
    for role, setting in found - allowed.SETTINGS:
        yield f"sessions of {role} begin with {setting}"
    for role, setting in allowed.SETTINGS - found:
        yield f"sessions of {role} do not begin with {setting}"


def table_grants(catalog: Catalog) -> Iterable[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for table, role, right, grantable in catalog.rows(
        "SELECT c.oid::regclass::text, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,"
        f" privilege_type, is_grantable FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {OURS},"
        f" aclexplode(c.relacl) WHERE grantee <> c.relowner"
    ):
        found.setdefault((table, role), set()).add(right)
        if grantable:
            yield f"{role} may pass on {right} on {table}"
    wanted = {(table, role): allowed.ROWS for table in [*catalog.owned, TENANTS] for role in (APP, MAINT)}
    wanted |= {(table, APP): rights for table, rights in allowed.APP_GRANTS.items()}
    wanted |= {(table, MAINT): allowed.ROWS for table in allowed.MAINT_SHARED}
    for place in wanted.keys() | found.keys():
        if found.get(place, set()) != wanted.get(place, set()):
            yield f"{place[1]} has {sorted(found.get(place, set()))} on {place[0]}, not {sorted(wanted.get(place, ()))}"


def column_grants(catalog: Catalog) -> Iterable[str]:
    """Only what the definer's functions need, and what the server may change of a row otherwise closed to it."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for table, column, role, right, grantable in catalog.rows(
        "SELECT attrelid::regclass::text, attname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,"
        " privilege_type, is_grantable FROM pg_attribute, pg_class c, pg_namespace n, aclexplode(attacl)"
        f" WHERE c.oid = attrelid AND n.oid = c.relnamespace AND {OURS}"
    ):
        found.setdefault((role, table, right), set()).add(column)
        if grantable:
            yield f"{role} may pass on {right} on {table}.{column}"
    wanted = {
        (DEFINER, table, right): set(columns.split())
        for table, lists in allowed.DEFINER_COLUMNS.items()
        for right, columns in zip(("SELECT", "UPDATE"), lists, strict=True)
        if columns
    }
    wanted |= {(APP, table, "UPDATE"): set(columns.split()) for table, columns in allowed.APP_COLUMNS.items()}
    for place in wanted.keys() | found.keys():
        difference = found.get(place, set()) ^ wanted.get(place, set())
        if difference:
            role, table, right = place
            yield f"{role}'s {right} on columns of {table} differs in {sorted(difference)}"


def schema_and_database_grants(catalog: Catalog) -> Iterable[str]:
    found = set(
        catalog.rows(
            "SELECT nspname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type"
            f" FROM pg_namespace n, aclexplode(nspacl) WHERE {OURS} AND grantee <> nspowner"
            " UNION SELECT 'database', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,"
            " privilege_type FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))"
            " WHERE datname = %s AND grantee <> datdba",
            catalog.database,
        )
    )
    wanted = {("public", role, "USAGE") for role in (APP, MAINT, DEFINER)}
    wanted |= {("database", role, "CONNECT") for role in (APP, MAINT)} | {("database", MAINT, "TEMPORARY")}
    for place, role, right in found - wanted:
        yield f"{role} has {right} on {place}"
    for place, role, right in wanted - found:
        yield f"{role} lacks {right} on {place}"
    for role, kind in catalog.rows("SELECT defaclrole::regrole::text, defaclobjtype FROM pg_default_acl"):
        yield f"default privileges of {role} for {kind} would grant what no migration says"


def definer_functions(catalog: Catalog) -> Iterable[str]:
    """Known, owned by the definer, with a pinned search_path, for the server's role only, telling ids and counts."""
    seen = set()
    for name, *function in catalog.rows(
        "SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proowner::regrole::text,"
        " coalesce(p.proconfig, '{}'), pg_get_function_result(p.oid), ARRAY(SELECT CASE grantee WHEN 0 THEN 'PUBLIC'"
        "   ELSE grantee::regrole::text END FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))),"
        f" p.proleakproof FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND {OURS} WHERE p.prosecdef"
    ):
        seen.add(name)
        yield from (f"SECURITY DEFINER function {name} {fault}" for fault in _faults(name, function))
    for name in allowed.DEFINER_FUNCTIONS.keys() - seen:
        yield f"SECURITY DEFINER function {name} is in the allow-list, but not in the database"


def _faults(name: str, function: Sequence[Any]) -> Iterable[str]:
    owner, settings, returns, may_run, leakproof = function
    if name not in allowed.DEFINER_FUNCTIONS:
        yield "is not in the allow-list"
    if owner != DEFINER:
        yield f"belongs to {owner}"
    if [setting for setting in settings if setting.startswith("search_path")] != [allowed.SEARCH_PATH]:
        yield f"does not pin its search_path: {settings}"
    if returns not in allowed.DEFINER_RETURNS:
        yield f"returns {returns}, not ids or counts"
    if set(may_run) != {APP, DEFINER}:
        yield f"may be executed by {sorted(may_run)}"
    if leakproof:
        yield "claims to be leakproof"
