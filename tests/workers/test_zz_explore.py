import os, time, uuid
from urllib.parse import urlsplit
import psycopg2
from django.db import connection, connections

FILL = """
INSERT INTO tenants_tenant (id, name, slug, created_at) SELECT uuidv7(), 'T'||n, 't-'||n, now() FROM generate_series(1,%(tenants)s) n;
INSERT INTO tenants_tenantqueue (id, tenant_id, pool, virtual_time, weight, running_cap, running, waiting)
 SELECT uuidv7(), id, 'cpu', 0, 1, 4, 0, 0 FROM tenants_tenant;
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, attempts, max_attempts, token, worker, traceback, created_at, due_at)
 SELECT uuidv7(), t.id, 'k', n::text, 'cpu', 'SHORT', 'PENDING', '{}', '{}', 0, 5, 0, '', '', now(), now()
 FROM (SELECT id, row_number() OVER (ORDER BY id) r FROM tenants_tenant) t, LATERAL generate_series(1, CASE WHEN r = 1 THEN %(noisy)s ELSE 2 END) n;
UPDATE tenants_tenantqueue q SET waiting = (SELECT count(*) FROM tenants_job j WHERE j.tenant_id = q.tenant_id);
INSERT INTO tenants_pool (name, clock, short_slots, service_seconds) VALUES ('cpu',0,1,2) ON CONFLICT DO NOTHING;
"""
def test_x(database):
    c = psycopg2.connect(urlsplit(os.environ["DATABASE_ADMIN_URL"])._replace(path="/" + database).geturl()); c.autocommit = True
    cur = c.cursor()
    def claim(n, cu):
        ts = []
        for _ in range(n):
            t = time.perf_counter(); cu.execute("SELECT claim_job('cpu', false, 30)"); ts.append(time.perf_counter() - t)
        ts.sort(); return f"p50 {ts[len(ts)//2]*1e3:.2f} max {ts[-1]*1e3:.2f} ms"
    app = connection.cursor()
    for _ in range(10): app.execute("SELECT claim_job('cpu', false, 30)")
    t = time.perf_counter(); cur.execute(FILL, dict(tenants=1000, noisy=50000)); print("fill", time.perf_counter() - t)
    print("stale plan", claim(200, app)); print("stale plan", claim(200, app))
    connections["default"].close(); app = connections["default"].cursor()
    print("no stats", claim(200, app))
    for t in ("tenants_job", "tenants_tenantqueue"): cur.execute(f"VACUUM ANALYZE {t}")
    print("analyzed", claim(200, app))
    for _ in range(3): print("analyzed again", claim(1000, app))
    cur.execute("ALTER FUNCTION claim_job RESET ALL; ALTER FUNCTION claim_job SET search_path = pg_catalog, public, pg_temp")
    for _ in range(3): print("without settings", claim(1000, app))
    cur.execute("UPDATE tenants_job SET expires_at = now() - '1s'::interval WHERE expires_at is not null")
    cur.execute("LOAD 'auto_explain'; SET auto_explain.log_min_duration=0; SET auto_explain.log_nested_statements=on; SET auto_explain.log_analyze=on; SET client_min_messages=log")
    for i in range(8):
        c.notices.clear(); cur.execute("SELECT claim_job('cpu', false, 30)")
    print("\n".join(c.notices))
    for i in range(8):
        c.notices.clear(); cur.execute("SELECT reap_job('{}')")
    print("\n".join(c.notices))
    for i in range(8):
        c.notices.clear(); cur.execute("SELECT * from pool_load('cpu')")
    print("\n".join(c.notices))
