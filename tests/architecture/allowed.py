"""What the catalog may hold beyond the rule, each with its reason. Whatever is not listed here is a breach."""

from typing import Final

APP, MAINT, DEFINER, OWNER = "myriad_app", "myriad_maint", "myriad_definer", "myriad_owner"

# Tables without a tenant.
SHARED_TABLES: Final = {
    "tenants_user": "a person signs in before a tenant is known, and may have seats in several",
    "tenants_pool": "a group of workers, which serve every tenant",
    "workers_worker": "a worker process, which serves every tenant",
    "workers_dispatcher": "when the dispatcher last turned",
    "django_session": "a session is a person's, who may have seats in several tenants; it holds no tenant's data",
    "django_migrations": "Django's record of what was migrated",
    "django_content_type": "Django's list of models; the server's role may not even read it",
    "auth_permission": "Django's; unused, the server's role may not read it",
    "auth_group": "Django's; unused, the server's role may not read it",
    "auth_group_permissions": "Django's; unused, the server's role may not read it",
}
# Its own row is all a tenant sees of this table, so its key is `id`.
TENANTS: Final = "tenants_tenant"

# What the server's role may do where it is not SELECT, INSERT, UPDATE, DELETE.
APP_GRANTS: Final = {
    "tenants_auditevent": {"SELECT", "INSERT"},
    "tenants_tenant": {"SELECT", "INSERT", "UPDATE"},
    "tenants_user": {"SELECT", "INSERT"},
    "tenants_pool": {"SELECT", "INSERT", "UPDATE"},
    "workers_worker": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "workers_dispatcher": {"SELECT", "INSERT", "UPDATE"},
    "django_session": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "django_migrations": {"SELECT"},
}
ROWS: Final = {"SELECT", "INSERT", "UPDATE", "DELETE"}
MAINT_SHARED: Final = {"tenants_user", "django_session", "tenants_pool", "workers_worker", "workers_dispatcher"}

# Indexes of tenant-owned tables that do not begin with tenant_id. None may be unique.
GLOBAL_INDEXES: Final = {
    "member_user_lookup": "sign-in asks in which tenants a user has a seat",
    "invitation_prefix_lookup": "an invitation's token finds its tenant",
    "api_key_prefix_lookup": "a key finds its tenant",
    "job_lookup": "a worker is sent a job's id alone",
    "job_expiring": "the reaper asks across tenants",
    "tenant_queue_turn": "the dispatcher asks across tenants whose turn it is",
}
# Foreign keys from a tenant-owned table to a shared one.
GLOBAL_FOREIGN_KEYS: Final = {
    ("tenants_member", "user_id", "tenants_user"): "a seat belongs to a person, who may sit in several tenants",
}
# UUID columns of tenant-owned tables that point nowhere.
FREE_IDS: Final = {
    ("tenants_auditevent", "actor_id"): "the line outlives whoever acted",
    ("tenants_auditevent", "target_id"): "the line outlives what it tells of, which may be of any kind",
}

# What else the server's role may change, column by column.
APP_COLUMNS: Final = {
    # Nobody becomes an operator, or another person, by the server's doing.
    "tenants_user": "name password last_login is_active failed_sign_ins locked_until",
}
# What the definer functions may read and write of every tenant's rows.
DEFINER_COLUMNS: Final = {
    "tenants_apikey": ("tenant_id prefix", ""),
    "tenants_invitation": ("tenant_id prefix", ""),
    "tenants_member": ("tenant_id user_id removed_at", ""),
    "tenants_job": (
        "tenant_id id pool lane state created_at due_at expires_at attempts max_attempts cancel_requested_at",
        "state attempts due_at expires_at error finished_at",
    ),
    "tenants_tenantqueue": (
        "tenant_id id pool virtual_time weight running_cap running waiting",
        "virtual_time running waiting",
    ),
    "tenants_pool": ("name clock", "clock"),
    "tenants_tenant": ("id slug", ""),
}
DEFINER_FUNCTIONS: Final = {
    "key_tenant(p_prefix text)": "a key's tenant, before any is known",
    "invitation_tenant(p_prefix text)": "an invitation's tenant, before any is known",
    "member_tenants(p_user uuid)": "the tenants a user may choose from",
    "seat_tenant(p_user uuid, p_slug text)": "the tenant of a page's address, for who has a seat there",
    "job_tenant(p_job uuid)": "the tenant of the job a worker was sent",
    "claim_job(p_pool text, p_short_only boolean, p_seconds double precision)": "the dispatcher's fair claim",
    "reap_job(p_error jsonb)": "returns what was not taken or not finished",
    "queue_place(p_job uuid)": "how many jobs come before one's own",
    "pool_load(p_pool text)": "how many jobs of a pool run",
}
# Ids and counts, never content.
DEFINER_RETURNS: Final = {"uuid", "SETOF uuid", "bigint", "TABLE(running bigint, running_long bigint)"}
SEARCH_PATH: Final = "search_path=pg_catalog, public, pg_temp"

# What a session of a role begins with: time-outs, and above all no tenant.
SETTINGS: Final = {
    (APP, "lock_timeout=15s"),
    (APP, "statement_timeout=60s"),
    (APP, "idle_in_transaction_session_timeout=60s"),
}
EXTENSIONS: Final = {"plpgsql": "the definer functions are written in it"}
TRIGGERS: Final = {
    "tenants_auditevent": "CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.tenants_auditevent"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
}
