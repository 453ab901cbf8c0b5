"""Isolates the tables of this app and makes the functions that find a tenant (DESIGN §3)."""

from django.db import migrations

from tenants.row_security import APP, definer_function, isolate, isolate_tenants, let_definer, share

MEMBER = {"member_id": "tenants_member"}


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        *isolate_tenants("tenants_tenant"),
        *isolate("tenants_member", global_foreign_keys={"user_id": "tenants_user"}),
        *isolate("tenants_invitation", foreign_keys={"invited_by_id": "tenants_member"}),
        *isolate("tenants_apikey", foreign_keys=MEMBER),
        # Append-only: the server may add a line and read it; the trigger binds every other role too.
        *isolate("tenants_auditevent", grants="SELECT, INSERT"),
        migrations.RunSQL(
            """
            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $function$
            BEGIN
                RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
            END $function$;
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenants_auditevent
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
            """,
            "DROP TRIGGER append_only ON tenants_auditevent; DROP FUNCTION refuse_change();",
        ),
        *isolate("tenants_quota"),
        *isolate("tenants_idempotencyrecord", foreign_keys=MEMBER),
        *isolate("tenants_job"),
        *isolate("tenants_tenantqueue"),
        # Nobody becomes an operator, or another person, by an UPDATE of the server's.
        *share("tenants_user", grants="SELECT, INSERT, UPDATE (name, password, last_login, is_active)"),
        *share("tenants_pool", grants="SELECT, INSERT, UPDATE"),
        # So that the server can tell whether the database is at its version.
        migrations.RunSQL(f"GRANT SELECT ON django_migrations TO {APP}", migrations.RunSQL.noop),
        *let_definer("tenants_apikey", read=["tenant_id", "prefix"]),
        *let_definer("tenants_invitation", read=["tenant_id", "prefix"]),
        *let_definer("tenants_member", read=["tenant_id", "user_id", "removed_at"]),
        *let_definer(
            "tenants_job",
            read=[
                *("tenant_id", "id", "pool", "lane", "state", "created_at", "due_at", "expires_at"),
                *("attempts", "max_attempts", "cancel_requested_at"),
            ],
            write=["state", "attempts", "due_at", "expires_at", "error", "finished_at"],
        ),
        *definer_function(
            "key_tenant(p_prefix text)",
            "uuid",
            "BEGIN RETURN (SELECT tenant_id FROM tenants_apikey WHERE prefix = p_prefix); END",
            stable=True,
        ),
        *definer_function(
            "invitation_tenant(p_prefix text)",
            "uuid",
            "BEGIN RETURN (SELECT tenant_id FROM tenants_invitation WHERE prefix = p_prefix); END",
            stable=True,
        ),
        *definer_function(
            "member_tenants(p_user uuid)",
            "SETOF uuid",
            "BEGIN RETURN QUERY SELECT tenant_id FROM tenants_member WHERE user_id = p_user"
            " AND removed_at IS NULL; END",
            stable=True,
        ),
        *definer_function(
            "job_tenant(p_job uuid)",
            "uuid",
            "BEGIN RETURN (SELECT tenant_id FROM tenants_job WHERE id = p_job); END",
            stable=True,
        ),
    ]
