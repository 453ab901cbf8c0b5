"""Ways to break the rules, each with what the checker must say of it. All run in a transaction that is rolled back."""

from typing import Final

# Replaces a composite foreign key by one on the id alone, which accepts another tenant's parent.
PLAIN_FOREIGN_KEY: Final = """
    ALTER TABLE projects_project ADD CONSTRAINT project_id_unique UNIQUE (id);
    ALTER TABLE projects_image DROP CONSTRAINT projects_image_project_id_fk,
        ADD CONSTRAINT plain FOREIGN KEY (project_id) REFERENCES projects_project (id);
"""
VOLATILE_POLICY: Final = """
    CREATE FUNCTION whose() RETURNS uuid LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE POLICY slow ON projects_image TO myriad_app USING (tenant_id = whose());
"""


def foreign_key(name: str, options: str) -> str:
    return f"""
        ALTER TABLE projects_image DROP CONSTRAINT projects_image_project_id_fk, ADD CONSTRAINT {name}
            FOREIGN KEY (tenant_id, project_id) REFERENCES projects_project (tenant_id, id) {options}
    """


def definer(name: str, *, returns: str = "bigint", path: str = "pg_catalog, public, pg_temp") -> str:
    pin = f"SET search_path = {path}" if path else ""
    return f"""
        CREATE FUNCTION {name}(p_prefix text) RETURNS {returns} LANGUAGE plpgsql SECURITY DEFINER {pin}
            AS $$ BEGIN RETURN NULL; END $$;
        ALTER FUNCTION {name}(text) OWNER TO myriad_definer;
        REVOKE ALL ON FUNCTION {name}(text) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION {name}(text) TO myriad_app;
    """


MUTATIONS: Final = {
    # Tables
    "a table without tenant": ("CREATE TABLE things (id uuid PRIMARY KEY)", "things.tenant_id"),
    "a table in another schema": (
        "CREATE SCHEMA other; CREATE TABLE other.copy AS TABLE projects_image",
        "other.copy: row-level security",
    ),
    "a nullable tenant": (
        "ALTER TABLE projects_imageclass DROP CONSTRAINT projects_imageclass_pkey, ALTER tenant_id DROP NOT NULL",
        "projects_imageclass.tenant_id is not",
    ),
    "a tenant by default": (
        "ALTER TABLE projects_image ALTER tenant_id SET DEFAULT gen_random_uuid()",
        "projects_image.tenant_id is not",
    ),
    "a countable id": (
        "ALTER TABLE tenants_auditevent DROP COLUMN id CASCADE, ADD id bigserial, ADD PRIMARY KEY (tenant_id, id)",
        "tenants_auditevent.id is not",
    ),
    "a table of the server's own": ("ALTER TABLE projects_image OWNER TO myriad_app", "projects_image belongs to"),
    "a tenant in a shared table": ("ALTER TABLE tenants_pool ADD tenant_id uuid", "tenants_pool has a tenant_id"),
    "a shared table gone": ("DROP TABLE workers_dispatcher", "workers_dispatcher is in the allow-list"),
    # Views and their like
    "a view of its owner's rights": (
        "CREATE VIEW every_image AS SELECT * FROM projects_image",
        "view every_image is not security_invoker",
    ),
    "a view with security_invoker off": (
        "CREATE VIEW every_image WITH (security_invoker = false) AS SELECT * FROM projects_image",
        "view every_image is not security_invoker",
    ),
    "a materialized view": (
        "CREATE MATERIALIZED VIEW every_image AS SELECT * FROM projects_image",
        "every_image is a materialized view",
    ),
    "a rule": (
        "CREATE RULE copy AS ON INSERT TO projects_image DO ALSO DELETE FROM tenants_auditevent",
        "rule copy on projects_image",
    ),
    "an extension": ("CREATE EXTENSION pg_stat_statements", "extension pg_stat_statements"),
    # Row-level security
    "row security disabled": ("ALTER TABLE tenants_job DISABLE ROW LEVEL SECURITY", "tenants_job: row-level security"),
    "row security not forced": (
        "ALTER TABLE tenants_job NO FORCE ROW LEVEL SECURITY",
        "tenants_job: row-level security",
    ),
    "a policy for everybody": ("ALTER POLICY maint ON projects_image TO PUBLIC", "projects_image: unexpected policy"),
    "a policy that lets write anything": (
        "ALTER POLICY tenant ON projects_image WITH CHECK (true)",
        "projects_image: unexpected policy",
    ),
    "another permissive policy": (
        "CREATE POLICY more ON projects_image TO myriad_app USING (true)",
        "projects_image: unexpected policy ('more'",
    ),
    "a policy that compares with the session's user": (
        "ALTER POLICY tenant ON projects_image USING (tenant_id::text = current_user)",
        "projects_image: policy tenant is missing or altered",
    ),
    "a VOLATILE policy": (VOLATILE_POLICY, "policy slow calls the VOLATILE function whose"),
    "a VOLATILE function behind an operator": (
        "CREATE POLICY slow ON projects_image USING (created_at > clock_timestamp())",
        "policy slow calls the VOLATILE function clock_timestamp",
    ),
    "a policy on a shared table": (
        "CREATE POLICY everyone ON tenants_user USING (true)",
        "tenants_user is shared, but has policies",
    ),
    # Keys and indexes
    "a global unique index": (
        "CREATE UNIQUE INDEX one_name ON projects_project (name)",
        "one_name on projects_project does not begin with tenant_id and is unique",
    ),
    "a unique index with the tenant last": (
        "CREATE UNIQUE INDEX one_name ON projects_project (name, tenant_id)",
        "one_name on projects_project does not begin with tenant_id",
    ),
    "a unique index over an expression": (
        "CREATE UNIQUE INDEX one_name ON projects_project (lower(name), tenant_id)",
        "one_name on projects_project does not begin with tenant_id",
    ),
    "a global list index": (
        "CREATE INDEX newest ON projects_image (id DESC)",
        "newest on projects_image does not begin with tenant_id",
    ),
    "an allowed index made unique": (
        "DROP INDEX job_lookup; CREATE UNIQUE INDEX job_lookup ON tenants_job (id)",
        "job_lookup on tenants_job does not begin with tenant_id and is unique",
    ),
    "an exclusion constraint": (
        "ALTER TABLE projects_project ADD CONSTRAINT one EXCLUDE USING btree (name WITH =)",
        "one on projects_project does not begin with tenant_id and is unique",
    ),
    "a primary key of the id alone": (
        "ALTER TABLE projects_imageclass DROP CONSTRAINT projects_imageclass_pkey, ADD PRIMARY KEY (id)",
        "projects_imageclass: the primary key is not",
    ),
    # Foreign keys
    "a foreign key on the id alone": (
        PLAIN_FOREIGN_KEY,
        "projects_image: a foreign key does not compare the tenant: plain",
    ),
    "a foreign key that cascades": (
        foreign_key("cascading", "ON DELETE CASCADE"),
        "acts on deletes or updates: cascading",
    ),
    "a foreign key never validated": (
        foreign_key("loose", "NOT VALID"),
        "projects_image: the constraint loose was never validated",
    ),
    "a check never validated": (
        "ALTER TABLE workers_worker ADD CONSTRAINT loose CHECK (name <> '') NOT VALID",
        "workers_worker: the constraint loose was never validated",
    ),
    "no foreign key": (
        "ALTER TABLE projects_image DROP CONSTRAINT projects_image_project_id_fk",
        "projects_image.project_id is an id without a foreign key",
    ),
    "no foreign key to tenants": (
        "ALTER TABLE projects_image DROP CONSTRAINT projects_image_tenant_fk",
        "projects_image: tenant_id may name a tenant that is not there",
    ),
    "a foreign key to a shared table": (
        "ALTER TABLE projects_image ADD worker_id uuid REFERENCES workers_worker (id)",
        "projects_image points at a shared table",
    ),
    "a shared table that points at a tenant": (
        "ALTER TABLE workers_worker ADD works_for uuid REFERENCES tenants_tenant (id)",
        "workers_worker is shared, but points at a tenant's",
    ),
    # Triggers
    "no trigger on the audit log": ("DROP TRIGGER append_only ON tenants_auditevent", "the triggers in force"),
    "a disabled trigger": (
        "ALTER TABLE tenants_auditevent DISABLE TRIGGER append_only",
        "the triggers in force",
    ),
    "another trigger": (
        "CREATE TRIGGER more AFTER INSERT ON projects_image EXECUTE FUNCTION refuse_change()",
        "the triggers in force",
    ),
    # Roles
    "a server that bypasses row security": ("ALTER ROLE myriad_app BYPASSRLS", "myriad_app is a superuser, bypasses"),
    "a server that is superuser": ("ALTER ROLE myriad_app SUPERUSER", "myriad_app is a superuser, bypasses"),
    "a maint that bypasses row security": (
        "ALTER ROLE myriad_maint BYPASSRLS",
        "myriad_maint is a superuser, bypasses",
    ),
    "an owner that makes roles": ("ALTER ROLE myriad_owner CREATEROLE", "myriad_owner is a superuser, bypasses"),
    "a definer that logs in": ("ALTER ROLE myriad_definer LOGIN", "myriad_definer may log in"),
    "a server that is the definer": ("GRANT myriad_definer TO myriad_app", "myriad_app is a member of myriad_definer"),
    "a server that is maint": ("GRANT myriad_maint TO myriad_app", "myriad_app is a member of myriad_maint"),
    "a server that reads all data": ("GRANT pg_read_all_data TO myriad_app", "member of pg_read_all_data"),
    "an owner with the definer's rights": (
        "GRANT myriad_definer TO myriad_owner WITH INHERIT TRUE",
        "myriad_owner is a member of myriad_definer",
    ),
    "a function of the server's own": (
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1; ALTER FUNCTION mine() OWNER TO myriad_app",
        "myriad_app owns 1 objects",
    ),
    "a tenant for every session": (
        "ALTER ROLE myriad_app SET app.tenant_id = '0190b8a4-0000-7000-8000-000000000000'",
        "sessions of myriad_app begin with app.tenant_id=0190b8a4",
    ),
    "a tenant for every session of the database": (
        "ALTER DATABASE {database} SET app.tenant_id = '0190b8a4-0000-7000-8000-000000000000'",
        "sessions of the database begin with app.tenant_id=0190b8a4",
    ),
    "another search path": (
        "ALTER ROLE myriad_maint SET search_path = pg_temp, public",
        "sessions of myriad_maint begin with search_path",
    ),
    "no time-out": (
        "ALTER ROLE myriad_app RESET statement_timeout",
        "sessions of myriad_app do not begin with statement_timeout",
    ),
    # Grants
    "a server that truncates": ("GRANT TRUNCATE ON projects_image TO myriad_app", "myriad_app has ['DELETE'"),
    "a server that rewrites the audit log": (
        "GRANT UPDATE ON tenants_auditevent TO myriad_app",
        "myriad_app has ['INSERT', 'SELECT', 'UPDATE'] on tenants_auditevent",
    ),
    "a server that may not read": ("REVOKE SELECT ON projects_image FROM myriad_app", "on projects_image, not"),
    "a grant to everybody": ("GRANT SELECT ON projects_image TO PUBLIC", "PUBLIC has ['SELECT'] on projects_image"),
    "a grant on Django's tables": (
        "GRANT SELECT ON auth_group TO myriad_app",
        "myriad_app has ['SELECT'] on auth_group",
    ),
    "a grant that may be passed on": (
        "GRANT SELECT ON projects_image TO myriad_app WITH GRANT OPTION",
        "myriad_app may pass on SELECT",
    ),
    "a grant on a column": (
        "GRANT UPDATE (detail) ON tenants_auditevent TO myriad_app",
        "myriad_app's UPDATE on columns of tenants_auditevent differs in ['detail']",
    ),
    "a server that makes operators": (
        "GRANT UPDATE (is_operator) ON tenants_user TO myriad_app",
        "myriad_app's UPDATE on columns of tenants_user differs in ['is_operator']",
    ),
    "a definer that passes on what it reads": (
        "GRANT SELECT (prefix) ON tenants_apikey TO myriad_definer WITH GRANT OPTION",
        "myriad_definer may pass on SELECT on tenants_apikey.prefix",
    ),
    "a definer that reads secrets": (
        "GRANT SELECT (secret_hash) ON tenants_apikey TO myriad_definer",
        "myriad_definer's SELECT on columns of tenants_apikey differs in ['secret_hash']",
    ),
    "a definer that writes a spec": (
        "GRANT UPDATE (spec) ON tenants_job TO myriad_definer",
        "myriad_definer's UPDATE on columns of tenants_job differs in ['spec']",
    ),
    "a definer that reads whole rows": (
        "GRANT SELECT ON tenants_member TO myriad_definer",
        "myriad_definer has ['SELECT'] on tenants_member",
    ),
    "a server that makes tables": ("GRANT CREATE ON SCHEMA public TO myriad_app", "myriad_app has CREATE on public"),
    "everybody makes tables": ("GRANT CREATE ON SCHEMA public TO PUBLIC", "PUBLIC has CREATE on public"),
    "everybody connects": ("GRANT CONNECT ON DATABASE {database} TO PUBLIC", "PUBLIC has CONNECT on database"),
    "a server with temporary tables": (
        "GRANT TEMPORARY ON DATABASE {database} TO myriad_app",
        "myriad_app has TEMPORARY on database",
    ),
    "a server that cannot connect": (
        "REVOKE CONNECT ON DATABASE {database} FROM myriad_app",
        "myriad_app lacks CONNECT on database",
    ),
    "default privileges": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE myriad_owner GRANT SELECT ON TABLES TO myriad_app",
        "default privileges of myriad_owner",
    ),
    # Definer functions
    "an unknown definer function": (definer("whose_prefix"), "function whose_prefix(p_prefix text) is not in"),
    "a definer function of the owner": (
        "ALTER FUNCTION key_tenant(text) OWNER TO myriad_owner",
        "key_tenant(p_prefix text) belongs to myriad_owner",
    ),
    "a definer function without search_path": (
        "ALTER FUNCTION key_tenant(text) RESET search_path",
        "key_tenant(p_prefix text) does not pin its search_path",
    ),
    "a search_path with the temporary schema first": (
        "ALTER FUNCTION key_tenant(text) SET search_path = public",
        "key_tenant(p_prefix text) does not pin its search_path",
    ),
    "a definer function for everybody": (
        "GRANT EXECUTE ON FUNCTION key_tenant(text) TO PUBLIC",
        "key_tenant(p_prefix text) may be executed by ['PUBLIC'",
    ),
    "a definer function that tells content": (
        "DROP FUNCTION key_tenant(text);" + definer("key_tenant", returns="text"),
        "key_tenant(p_prefix text) returns text",
    ),
    "a definer function that claims to be leakproof": (
        "ALTER FUNCTION key_tenant(text) LEAKPROOF",
        "key_tenant(p_prefix text) claims to be leakproof",
    ),
    "a definer function gone": (
        "DROP FUNCTION key_tenant(text)",
        "key_tenant(p_prefix text) is in the allow-list, but not in the database",
    ),
}
