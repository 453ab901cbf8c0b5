"""Tenants in bulk, by SQL under the maintenance role: rows as the service would have written them."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import psycopg2

CLASSES, JOBS, AUDIT_LINES = 5, 20, 50
SECRET = "5" * 64


@dataclass(frozen=True)
class Resident:
    """One tenant: the text of its key, and its project."""

    key: str
    project: str


_STATEMENTS = """
CREATE TEMP TABLE made AS SELECT uuidv7() AS id, uuidv7() AS member, uuidv7() AS project, n
  FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO tenants_tenant (id, name, slug, created_at) SELECT id, 'Tenant ' || n, 'tenant-' || n, now() FROM made;
INSERT INTO tenants_quota (id, tenant_id, images_limit, images_used, bytes_limit, bytes_used, projects_limit,
    projects_used, members_limit, members_used)
  SELECT uuidv7(), id, 1000000, %(images)s, 1e15, %(images)s * 200000, 1000000, 1, 200, 1 FROM made;
INSERT INTO tenants_user (id, email, name, password, is_active, is_operator, created_at)
  SELECT member, 'owner-' || n || '@example.com', 'Owner', '!', true, false, now() FROM made;
INSERT INTO tenants_member (id, tenant_id, user_id, role, created_at)
  SELECT member, id, member, 'OWNER', now() FROM made;
INSERT INTO tenants_apikey (id, tenant_id, member_id, name, prefix, secret_hash, scopes, created_at)
  SELECT uuidv7(), id, member, 'bench', lpad(to_hex(n), 12, '0'), %(hash)s, '{}', now() FROM made;
INSERT INTO projects_project (id, tenant_id, name, kind, description, image_count, labelled_count, created_at)
  SELECT project, id, 'Casings', 'DETECTION', '', %(images)s, 0, now() FROM made;
INSERT INTO projects_defectclass (id, tenant_id, project_id, name, definition, rule, color, image_count, box_count,
    created_at)
  SELECT uuidv7(), id, project, 'class ' || k, '', '', '#d97706', 0, 0, now()
  FROM made, generate_series(1, %(classes)s) k;
INSERT INTO projects_image (id, tenant_id, project_id, filename, status, sha256, stored_sha256, thumbnail_sha256,
    content_type, stored_type, size, width, height, near_hash, metadata, "group", split, split_pinned,
    multipart_id, created_at)
  SELECT uuidv7(), id, project, 'image_' || k || '.jpg', 'READY', h, h, h, 'image/jpeg', 'image/jpeg', 200000, 640,
    480, left(h, 16), jsonb_build_object('camera', k %% 5, 'shift', 'night'), '', 'TRAIN', false, '', now()
  FROM made, generate_series(1, %(images)s) k, lateral (SELECT encode(sha256((id::text || k)::bytea), 'hex') h) s;
INSERT INTO projects_imageclass (id, tenant_id, image_id, defect_class_id)
  SELECT uuidv7(), i.tenant_id, i.id, c.id FROM made m JOIN projects_image i ON i.tenant_id = m.id
  JOIN LATERAL (SELECT id FROM projects_defectclass d WHERE d.tenant_id = m.id LIMIT 1) c ON true;
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, traceback, attempts,
    max_attempts, token, worker, created_at, due_at)
  SELECT uuidv7(), id, 'ingest', k::text, 'cpu', 'SHORT', 'SUCCEEDED', '{}', '{}', '', 1, 5, 1, '', now(), now()
  FROM made, generate_series(1, %(jobs)s) k;
INSERT INTO tenants_auditevent (id, tenant_id, at, actor_kind, action, detail, request_id)
  SELECT uuidv7(), id, now(), 'system', 'project.created', '{}', '' FROM made, generate_series(1, %(lines)s) k;
"""


def populate(maint_url: str, *, first: int, last: int, images: int) -> list[Resident]:
    """Makes tenants number `first` to `last`, each with one project of `images` images."""
    values = {
        "first": first,
        "last": last,
        "images": images,
        "classes": CLASSES,
        "jobs": JOBS,
        "lines": AUDIT_LINES,
        "hash": hashlib.sha256(SECRET.encode()).hexdigest(),
    }
    with closing(psycopg2.connect(maint_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_STATEMENTS, values)
        cursor.execute("SELECT n, project FROM made ORDER BY n")
        made: Sequence[tuple[int, str]] = cursor.fetchall()
        cursor.execute("DROP TABLE made")
    return [Resident(key=f"myr_{number:012x}_{SECRET}", project=str(project)) for number, project in made]


def analyze(owner_url: str) -> None:
    """Brings the planner's statistics up to date, as autovacuum would in time."""
    with closing(psycopg2.connect(owner_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
