"""The functions by which the dispatcher sees every tenant's queue (DESIGN §4).

They run as `myriad_definer`, return ids and counts only, and lock a tenant's queue row before any of its jobs.
Each is a sequence of statements, never one CTE: a CTE has one snapshot for the whole statement, deadlocks, and can
claim a job twice.
"""

from django.db import migrations

from tenants.row_security import definer_function, let_definer, share

# The tenant of least virtual time that has a due job and is under its cap; then its oldest due job.
CLAIM = """
    SELECT t.id, t.tenant_id, t.virtual_time INTO turn FROM tenants_tenantqueue t
     WHERE t.pool = p_pool AND t.waiting > 0 AND t.running < t.running_cap AND EXISTS (
           SELECT 1 FROM tenants_job j WHERE j.tenant_id = t.tenant_id AND j.pool = p_pool
              AND j.state = 'PENDING' AND j.due_at <= clock_timestamp() {lane})
     ORDER BY t.virtual_time LIMIT 1 FOR UPDATE OF t SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT j.id INTO chosen FROM tenants_job j
     WHERE j.tenant_id = turn.tenant_id AND j.pool = p_pool
       AND j.state = 'PENDING' AND j.due_at <= clock_timestamp() {lane}
     ORDER BY j.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
"""
CLAIM_JOB = f"""
DECLARE
    turn record;
    chosen uuid;
BEGIN
    IF p_short_only THEN {CLAIM.format(lane="AND j.lane = 'SHORT'")}
    ELSE {CLAIM.format(lane="")}
    END IF;
    UPDATE tenants_job j SET state = 'DISPATCHED', attempts = attempts + 1,
           expires_at = clock_timestamp() + make_interval(secs => p_seconds)
     WHERE j.tenant_id = turn.tenant_id AND j.id = chosen AND j.state = 'PENDING';
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE tenants_tenantqueue t SET waiting = waiting - 1, running = running + 1,
           virtual_time = virtual_time + 1 / weight
     WHERE t.tenant_id = turn.tenant_id AND t.id = turn.id;
    UPDATE tenants_pool SET clock = turn.virtual_time WHERE name = p_pool AND clock < turn.virtual_time;
    RETURN chosen;
END
"""
# One job a call, so that no transaction holds two tenants' queue rows.
REAP_JOB = """
DECLARE
    late record;
    became text;
BEGIN
    SELECT j.tenant_id, j.id, j.pool INTO late FROM tenants_job j
     WHERE j.state IN ('DISPATCHED', 'RUNNING') AND j.expires_at < clock_timestamp()
     ORDER BY j.expires_at LIMIT 1;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM 1 FROM tenants_tenantqueue t WHERE t.tenant_id = late.tenant_id AND t.pool = late.pool FOR UPDATE;
    -- A dispatch that no worker took was no attempt: a flushed broker must not use them up.
    UPDATE tenants_job j SET
           state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'CANCELED'
                        WHEN state = 'RUNNING' AND attempts >= max_attempts THEN 'FAILED' ELSE 'PENDING' END,
           attempts = CASE WHEN state = 'DISPATCHED' THEN attempts - 1 ELSE attempts END,
           error = CASE WHEN cancel_requested_at IS NULL AND state = 'RUNNING' AND attempts >= max_attempts
                        THEN p_error ELSE NULL END,
           finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR (state = 'RUNNING'
                        AND attempts >= max_attempts) THEN clock_timestamp() END,
           due_at = clock_timestamp(), expires_at = NULL
     WHERE j.tenant_id = late.tenant_id AND j.id = late.id
       AND j.state IN ('DISPATCHED', 'RUNNING') AND j.expires_at < clock_timestamp()
     RETURNING j.state INTO became;
    IF FOUND THEN
        UPDATE tenants_tenantqueue t SET running = running - 1,
               waiting = waiting + CASE WHEN became = 'PENDING' THEN 1 ELSE 0 END
         WHERE t.tenant_id = late.tenant_id AND t.pool = late.pool;
    END IF;
    RETURN late.id;
END
"""
# Under fair turns, the k-th job of one tenant starts after at most k jobs of each other tenant.
QUEUE_PLACE = """
DECLARE
    mine record;
    ahead bigint;
BEGIN
    SELECT j.tenant_id, j.pool INTO mine FROM tenants_job j
     WHERE j.id = p_job AND j.state = 'PENDING'
       AND j.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT count(*) INTO ahead FROM tenants_job j
     WHERE j.tenant_id = mine.tenant_id AND j.pool = mine.pool AND j.state = 'PENDING' AND j.id < p_job;
    RETURN ahead + 1 + (SELECT coalesce(sum(least(t.waiting, ahead + 1)), 0) FROM tenants_tenantqueue t
     WHERE t.pool = mine.pool AND t.waiting > 0 AND t.tenant_id <> mine.tenant_id);
END
"""
POOL_LOAD = """
BEGIN
    RETURN QUERY SELECT coalesce(sum(t.waiting), 0)::bigint, coalesce(sum(t.running), 0)::bigint
      FROM tenants_tenantqueue t WHERE t.pool = p_pool AND (t.waiting > 0 OR t.running > 0);
END
"""


class Migration(migrations.Migration):
    dependencies = [("workers", "0001_initial"), ("tenants", "0002_isolation")]

    operations = [
        *share("workers_worker", grants="SELECT, INSERT, UPDATE, DELETE"),
        *share("workers_dispatcher", grants="SELECT, INSERT, UPDATE"),
        *let_definer(
            "tenants_tenantqueue",
            read=["tenant_id", "id", "pool", "virtual_time", "weight", "running_cap", "running", "waiting"],
            write=["virtual_time", "running", "waiting"],
        ),
        migrations.RunSQL(
            "GRANT SELECT (name, clock), UPDATE (clock) ON tenants_pool TO myriad_definer",
            "REVOKE ALL ON tenants_pool FROM myriad_definer",
        ),
        *definer_function("claim_job(p_pool text, p_short_only boolean, p_seconds float8)", "uuid", CLAIM_JOB),
        *definer_function("reap_job(p_error jsonb)", "uuid", REAP_JOB),
        *definer_function("queue_place(p_job uuid)", "bigint", QUEUE_PLACE, stable=True),
        *definer_function("pool_load(p_pool text)", "TABLE (waiting bigint, running bigint)", POOL_LOAD, stable=True),
    ]
