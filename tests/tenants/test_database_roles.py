"""The four roles: made, repaired, and able to do no more than they should."""

import os
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, urlsplit

import psycopg2
import pytest
from psycopg2 import OperationalError, errors

from tenants.database_roles import TIME_OUTS, UnusableAddress, bootstrap
from tests.cast import Cast
from tests.tenants.conftest import administrator

VARIABLES = {
    "myriad_owner": "DATABASE_OWNER_URL",
    "myriad_app": "DATABASE_URL",
    "myriad_maint": "DATABASE_MAINT_URL",
}
FRESH = f"fresh_{os.getpid()}"


def address(variable: str, database: str, **parts: str) -> str:
    split = urlsplit(os.environ[variable])._replace(path=f"/{database}")
    if "password" in parts:
        host = split.netloc.rpartition("@")[2]
        split = split._replace(netloc=f"{split.username}:{quote(parts['password'], safe='')}@{host}")
    return split.geturl()


def addresses(**changes: str) -> dict[str, str]:
    return {role: address(variable, FRESH) for role, variable in VARIABLES.items()} | changes


@pytest.fixture
def fresh(template: str) -> Iterator[str]:
    """The name of a database that is yet to be made; the roles are put right again afterwards."""
    yield FRESH
    bootstrap(admin_url=os.environ["DATABASE_ADMIN_URL"], urls=addresses())
    with administrator() as cursor:
        cursor.execute(f"DROP DATABASE {FRESH} WITH (FORCE)")


def make(urls: dict[str, str]) -> None:
    bootstrap(admin_url=os.environ["DATABASE_ADMIN_URL"], urls=urls)


def test_a_database_is_made_with_its_owner_and_closed_to_others(fresh: str) -> None:
    make(addresses())
    with administrator(fresh) as cursor:
        cursor.execute("SELECT datdba::regrole::text FROM pg_database WHERE datname = %s", [fresh])
        assert cursor.fetchone() == ("myriad_owner",)
        cursor.execute("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN PASSWORD 'x'")
        for privilege in ("CONNECT", "TEMPORARY", "CREATE"):
            cursor.execute("SELECT has_database_privilege('stranger', %s, %s)", [fresh, privilege])
            assert cursor.fetchone() == (False,)
        cursor.execute("SELECT has_schema_privilege('stranger', 'public', 'USAGE')")
        assert cursor.fetchone() == (False,)
        cursor.execute("DROP ROLE stranger")
    for variable in VARIABLES.values():
        psycopg2.connect(address(variable, fresh)).close()


def test_attributes_that_were_changed_are_put_right(fresh: str) -> None:
    make(addresses())
    with administrator() as cursor:
        cursor.execute("ALTER ROLE myriad_app SUPERUSER BYPASSRLS; ALTER ROLE myriad_definer LOGIN CREATEDB")
        cursor.execute("GRANT myriad_definer TO myriad_owner WITH INHERIT TRUE")
        make(addresses())
        cursor.execute(
            "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'myriad%' AND NOT (rolsuper OR rolbypassrls"
            " OR rolcreatedb OR rolcreaterole OR rolreplication) ORDER BY rolname"
        )
        found = dict(cursor.fetchall())
        cursor.execute("SELECT inherit_option, set_option FROM pg_auth_members WHERE roleid::regrole::text ~ 'definer'")
        assert cursor.fetchall() == [(False, True)]

    assert found == {"myriad_app": True, "myriad_definer": False, "myriad_maint": True, "myriad_owner": True}


def test_a_password_may_hold_any_character(fresh: str) -> None:
    password = "p@ss/w:rd?#'\\ ünï%41"
    changed = address("DATABASE_MAINT_URL", fresh, password=password)
    make(addresses(myriad_maint=changed))

    psycopg2.connect(changed).close()
    with pytest.raises(OperationalError, match="password"):
        psycopg2.connect(address("DATABASE_MAINT_URL", fresh))
    make(addresses())
    psycopg2.connect(address("DATABASE_MAINT_URL", fresh)).close()


@pytest.mark.parametrize("role", VARIABLES)
def test_an_address_of_another_role_is_refused(role: str, template: str) -> None:
    wrong = os.environ["DATABASE_ADMIN_URL"]
    with pytest.raises(UnusableAddress, match=f"{role} names the role 'postgres'"):
        make({name: os.environ[variable] for name, variable in VARIABLES.items()} | {role: wrong})


def refused(variable: str, database: str, sql: str) -> type[Exception] | None:
    """What the role's attempt raises, with Acme's tenant unknown to it; None when it is let."""
    with closing(psycopg2.connect(address(variable, database))) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except psycopg2.Error as error:
            return type(error)
    return None


APP_MAY_NOT = [
    "TRUNCATE projects_image",
    "ALTER TABLE projects_image DISABLE ROW LEVEL SECURITY",
    "DROP POLICY tenant ON projects_image",
    "DROP TABLE projects_image",
    "CREATE TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE VIEW mine AS SELECT * FROM projects_image",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE ROLE mine",
    "ALTER ROLE myriad_app BYPASSRLS",
    "SET ROLE myriad_maint",
    "SET ROLE myriad_definer",
    "SET SESSION AUTHORIZATION postgres",
    "COPY projects_image TO PROGRAM 'cat'",
    "COPY projects_image TO '/tmp/images'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_authid",
    "SELECT * FROM auth_group",
    "ALTER TABLE tenants_auditevent DISABLE TRIGGER append_only",
    "SET session_replication_role = replica",
    "DELETE FROM tenants_tenant",
    "DELETE FROM tenants_user",
]


@pytest.mark.parametrize("sql", APP_MAY_NOT)
def test_the_server_may_not(sql: str, standing: str, standing_cast: Cast) -> None:
    kind = refused("DATABASE_URL", standing, sql)

    assert kind in {errors.InsufficientPrivilege, errors.InvalidParameterValue}, kind


def test_row_security_cannot_be_switched_off_by_the_server(standing: str, standing_cast: Cast) -> None:
    """`row_security = off` does not show more: it makes the query fail."""
    assert refused("DATABASE_URL", standing, "SET row_security = off; SELECT * FROM projects_image") is (
        errors.InsufficientPrivilege
    )


@pytest.mark.parametrize(
    ("variable", "rows"), [("DATABASE_URL", 0), ("DATABASE_OWNER_URL", 0), ("DATABASE_MAINT_URL", 2)]
)
def test_who_sees_rows_without_a_tenant(variable: str, rows: int, standing: str, standing_cast: Cast) -> None:
    """FORCE binds the owner too; only maintenance sees every tenant."""
    with closing(psycopg2.connect(address(variable, standing))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_quota")
        assert cursor.fetchone() == (rows,)


def test_the_servers_sessions_end_what_takes_too_long(standing: str) -> None:
    with closing(psycopg2.connect(address("DATABASE_URL", standing))) as connection, connection.cursor() as cursor:
        for setting, limit in TIME_OUTS.items():
            cursor.execute("SELECT %s::interval = current_setting(%s)::interval", [limit, setting])
            assert cursor.fetchone() == (True,), setting


def test_the_definer_cannot_log_in(standing: str) -> None:
    parts = urlsplit(address("DATABASE_URL", standing))
    url = parts._replace(netloc=f"myriad_definer:x@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(OperationalError):
        psycopg2.connect(url)


def test_a_definer_function_tells_ids_and_no_more(standing: str, standing_cast: Cast) -> None:
    prefix = standing_cast.charlie.seat.token.prefix
    with closing(psycopg2.connect(address("DATABASE_URL", standing))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT key_tenant(%s), key_tenant('none')", [prefix])
        assert cursor.fetchone() == (standing_cast.charlie.tenant.id, None)
        cursor.execute("SELECT count(*) FROM tenants_apikey")
        assert cursor.fetchone() == (0,)
    for variable in ("DATABASE_OWNER_URL", "DATABASE_MAINT_URL"):
        assert refused(variable, standing, "SELECT key_tenant('none')") is errors.InsufficientPrivilege


def test_a_temporary_table_cannot_stand_in_for_a_real_one(standing: str, standing_cast: Cast) -> None:
    """The functions' search_path names the temporary schema last."""
    with closing(psycopg2.connect(address("DATABASE_URL", standing))) as connection, connection.cursor() as cursor:
        # A clone lacks the grants on the database, so the server may make one here.
        cursor.execute("CREATE TEMPORARY TABLE tenants_apikey (tenant_id uuid, prefix text)")
        cursor.execute("INSERT INTO tenants_apikey VALUES ('0190b8a4-0000-7000-8000-000000000000', 'forged')")
        cursor.execute("SELECT key_tenant('forged')")
        assert cursor.fetchone() == (None,)
