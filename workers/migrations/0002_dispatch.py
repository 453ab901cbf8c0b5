"""The functions by which the dispatcher sees every tenant's queue (DESIGN §4).

They run as `myriad_definer`, return ids and counts only, and wait for no row: what another transaction holds is
skipped, so one tenant's slow transaction holds up nobody else's work, and no two can wait for each other. Claiming is
a sequence of statements, never one CTE: a CTE has one snapshot for all, deadlocks, and can claim a job twice.
"""

from django.db import migrations

from tenants.row_security import DEFINER, definer_function, let_definer, share

# The tenant of least virtual time that has a due job and is under its cap; then its oldest due job. A sub-select with
# LIMIT, not EXISTS, which the planner may turn into a join with every waiting job.
CLAIM = """
    SELECT t.id, t.tenant_id, t.virtual_time INTO turn FROM tenants_tenantqueue t
     WHERE t.pool = p_pool AND t.waiting > 0 AND t.running < t.running_cap AND (
           SELECT true FROM tenants_job j WHERE j.tenant_id = t.tenant_id AND j.pool = p_pool
              AND j.state = 'PENDING' AND j.due_at <= moment {lane} LIMIT 1)
     ORDER BY t.virtual_time LIMIT 1 FOR UPDATE OF t SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT j.id INTO chosen FROM tenants_job j
     WHERE j.tenant_id = turn.tenant_id AND j.pool = p_pool
       AND j.state = 'PENDING' AND j.due_at <= moment {lane}
     ORDER BY j.created_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
"""
# A tenant that had nothing to claim for a while (idle, at its cap, waiting for a retry) is served once, and then goes
# on from the pool's clock: an old virtual time must not buy it every turn until it has caught up.
CLAIM_JOB = f"""
DECLARE
    moment timestamptz := clock_timestamp();
    turn record;
    chosen uuid;
BEGIN
    IF p_short_only THEN {CLAIM.format(lane="AND j.lane = 'SHORT'")}
    ELSE {CLAIM.format(lane="")}
    END IF;
    -- Locked as PENDING just now. Were the state named again, a plan could walk all the tenant's active jobs for it.
    UPDATE tenants_job j SET state = 'DISPATCHED', attempts = attempts + 1,
           expires_at = moment + make_interval(secs => p_seconds)
     WHERE j.tenant_id = turn.tenant_id AND j.id = chosen;
    UPDATE tenants_tenantqueue t SET waiting = waiting - 1, running = running + 1,
           virtual_time = greatest(virtual_time, (SELECT clock FROM tenants_pool WHERE name = p_pool)) + 1 / weight
     WHERE t.tenant_id = turn.tenant_id AND t.id = turn.id;
    UPDATE tenants_pool SET clock = turn.virtual_time WHERE name = p_pool AND clock < turn.virtual_time;
    RETURN chosen;
END
"""  # noqa: S608 - all parts are ours
# One job a call, so that no transaction holds two tenants' queue rows.
REAP_JOB = """
DECLARE
    moment timestamptz := clock_timestamp();
    late record;
    became text;
BEGIN
    -- A row that is locked belongs to a worker that publishes this moment, late but alive: it is left alone.
    SELECT j.tenant_id, j.id, t.id AS queue_id INTO late FROM tenants_job j
      JOIN tenants_tenantqueue t ON t.tenant_id = j.tenant_id AND t.pool = j.pool
     WHERE j.state IN ('DISPATCHED', 'RUNNING') AND j.expires_at < moment
     ORDER BY j.expires_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- A dispatch that no worker took was no attempt: a flushed broker must not use them up.
    UPDATE tenants_job j SET
           state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'CANCELED'
                        WHEN state = 'RUNNING' AND attempts >= max_attempts THEN 'FAILED' ELSE 'PENDING' END,
           attempts = CASE WHEN state = 'DISPATCHED' THEN attempts - 1 ELSE attempts END,
           error = CASE WHEN cancel_requested_at IS NULL AND state = 'RUNNING' AND attempts >= max_attempts
                        THEN p_error ELSE NULL END,
           finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR (state = 'RUNNING'
                        AND attempts >= max_attempts) THEN moment END,
           expires_at = NULL
     WHERE j.tenant_id = late.tenant_id AND j.id = late.id
     RETURNING j.state INTO became;
    UPDATE tenants_tenantqueue t SET running = running - 1,
           waiting = waiting + CASE WHEN became = 'PENDING' THEN 1 ELSE 0 END
     WHERE t.tenant_id = late.tenant_id AND t.id = late.queue_id;
    RETURN late.id;
END
"""
# Under fair turns, the k-th job of one tenant starts after at most k jobs of each other tenant.
QUEUE_PLACE = """
DECLARE
    mine record;
    ahead bigint;
BEGIN
    SELECT j.tenant_id, j.pool, j.created_at INTO mine FROM tenants_job j
     WHERE j.id = p_job AND j.state = 'PENDING'
       AND j.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid;
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- Beyond ten thousand the exact place tells nobody anything, and counting would cost more than asking is worth.
    SELECT count(*) INTO ahead FROM (SELECT 1 FROM tenants_job j
     WHERE j.tenant_id = mine.tenant_id AND j.pool = mine.pool AND j.state = 'PENDING'
       AND (j.created_at, j.id) < (mine.created_at, p_job) LIMIT 10000) AS before;
    RETURN ahead + 1 + (SELECT coalesce(sum(least(t.waiting, ahead + 1)), 0) FROM tenants_tenantqueue t
     WHERE t.pool = mine.pool AND t.waiting > 0 AND t.tenant_id <> mine.tenant_id);
END
"""
POOL_LOAD = """
BEGIN
    RETURN QUERY SELECT count(*), count(*) FILTER (WHERE j.lane = 'LONG') FROM tenants_job j
     WHERE j.pool = p_pool AND j.state IN ('DISPATCHED', 'RUNNING');
END
"""


def by_index(function: str) -> migrations.RunSQL:
    """Has the function walk its indexes even before there are statistics, so that no backlog makes it slower.

    A dispatcher keeps its plans for as long as it is connected, and the first ones were made for empty tables.
    """
    off = " ".join(f"SET enable_{way} = off" for way in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin"))
    statements = (f"SET LOCAL ROLE {DEFINER}", f"ALTER FUNCTION {function} {off}", "RESET ROLE")
    return migrations.RunSQL(statements, migrations.RunSQL.noop)


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
        *definer_function(
            "pool_load(p_pool text)", "TABLE (running bigint, running_long bigint)", POOL_LOAD, stable=True
        ),
        by_index("claim_job(text, boolean, float8)"),
        by_index("reap_job(jsonb)"),
        by_index("pool_load(text)"),
    ]
