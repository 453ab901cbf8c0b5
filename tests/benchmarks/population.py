"""Tenants in bulk, by SQL under the maintenance role: rows, counters and quotas as the service would have written them.

The server makes the rows itself (INSERT … SELECT), every foreign key checked: sending them by COPY from here would take
longer. The tenants' images come in turns, each time as many as one upload brings, so a project's rows lie in several
places of the table.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2

CLASSES, JOBS, AUDIT_LINES, UPLOAD = 20, 20, 50, 25
# Of a tenant's images, how many are annotated, each once, with two boxes of two classes.
LABELLED_SHARE = 0.25
SECRET = "5" * 64


@dataclass(frozen=True)
class Resident:
    """One tenant: its id, the text of its key, its project and that one's annotated images.

    `others` are projects of its that hold nothing, for what a benchmark makes.
    """

    tenant: str
    key: str
    project: str
    others: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)


_STATEMENTS = """
CREATE TEMP TABLE made AS SELECT uuidv7() AS id, uuidv7() AS member, uuidv7() AS project, n
  FROM generate_series(%(first)s, %(last)s) AS n;
CREATE TEMP TABLE others AS SELECT id AS tenant, uuidv7() AS project, k FROM made, generate_series(2, %(projects)s) k;
CREATE TEMP TABLE pictures AS SELECT id AS tenant, project, member, n, k, uuidv7() AS image,
    CASE WHEN k <= %(labelled)s THEN uuidv7() END AS annotation
  FROM made, generate_series(1, %(images)s) k ORDER BY (k - 1) / %(upload)s, n, k;
ANALYZE made, others, pictures;
INSERT INTO tenants_tenant (id, name, slug, created_at) SELECT id, 'Tenant ' || n, 'tenant-' || n, now() FROM made;
INSERT INTO tenants_quota (id, tenant_id, images_limit, images_used, bytes_limit, bytes_used, projects_limit,
    projects_used, members_limit, members_used)
  SELECT uuidv7(), id, 1000000, %(images)s, 1e15, %(images)s * 200000, 1000000, %(projects)s, 200, 1 FROM made;
INSERT INTO tenants_user (id, email, name, password, is_active, is_operator, created_at)
  SELECT member, 'owner-' || n || '@example.com', 'Owner', '!', true, false, now() FROM made;
INSERT INTO tenants_member (id, tenant_id, user_id, role, created_at)
  SELECT member, id, member, 'OWNER', now() FROM made;
INSERT INTO tenants_apikey (id, tenant_id, member_id, name, prefix, secret_hash, scopes, created_at)
  SELECT uuidv7(), id, member, 'bench', lpad(to_hex(n), 12, '0'), %(hash)s, '{}', now() FROM made;
INSERT INTO projects_project (id, tenant_id, name, kind, description, image_count, labelled_count, created_at)
  SELECT project, id, 'Casings', 'DETECTION', '', %(images)s, %(labelled)s, now() FROM made
  UNION ALL SELECT project, tenant, 'Project ' || k, 'DETECTION', '', 0, 0, now() FROM others;
CREATE TEMP TABLE book AS SELECT id AS tenant, project, uuidv7() AS class, k, boxes
  FROM made, (SELECT k, (SELECT count(*) FROM generate_series(1, %(labelled)s) i, generate_series(0, 1) j
    WHERE (i + j) %% %(classes)s = k - 1) AS boxes FROM generate_series(1, %(classes)s) k) c;
ANALYZE book;
INSERT INTO projects_defectclass (id, tenant_id, project_id, name, definition, rule, color, image_count, box_count,
    created_at)
  SELECT class, tenant, project, 'class ' || k, '', '', '#d97706', boxes, boxes, now() FROM book;
WITH annotations AS (
  INSERT INTO projects_annotation (id, tenant_id, image_id, number, author_id, box_count, created_at)
    SELECT annotation, tenant, image, 1, member, 2, now() FROM pictures WHERE annotation IS NOT NULL)
INSERT INTO projects_image (id, tenant_id, project_id, filename, status, sha256, stored_sha256, thumbnail_sha256,
    content_type, stored_type, size, width, height, near_hash, metadata, "group", split, split_pinned,
    multipart_id, accepted_id, created_at)
  SELECT image, tenant, project, 'image_' || k || '.jpg', 'READY', h, h, h, 'image/jpeg', 'image/jpeg', 200000, 640,
    480, left(h, 16), jsonb_build_object('camera', k %% 5, 'shift', 'night'), '', 'TRAIN', false, '', annotation, now()
  FROM pictures, lateral (SELECT encode(sha256((tenant::text || k)::bytea), 'hex') h) s;
CREATE TEMP TABLE drawn AS SELECT p.tenant, p.image, p.annotation, b.class, j
  FROM pictures p, generate_series(0, 1) j, book b
  WHERE p.annotation IS NOT NULL AND b.tenant = p.tenant AND b.k - 1 = (p.k + j) %% %(classes)s;
INSERT INTO projects_box (id, tenant_id, annotation_id, defect_class_id, x, y, width, height)
  SELECT uuidv7(), tenant, annotation, class, 10 + 200 * j, 20, 100, 50 FROM drawn;
INSERT INTO projects_imageclass (id, tenant_id, image_id, defect_class_id)
  SELECT uuidv7(), tenant, image, class FROM drawn;
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, traceback, attempts,
    max_attempts, token, worker, created_at, due_at)
  SELECT uuidv7(), id, 'ingest', k::text, 'cpu', 'SHORT', 'SUCCEEDED', '{}', '{}', '', 1, 5, 1, '', now(), now()
  FROM made, generate_series(1, %(jobs)s) k;
INSERT INTO tenants_auditevent (id, tenant_id, at, actor_kind, action, detail, request_id)
  SELECT uuidv7(), id, now(), 'system', 'project.created', '{}', '' FROM made, generate_series(1, %(lines)s) k;
"""
_MADE = """
SELECT n, id::text, project::text,
  ARRAY(SELECT project::text FROM others WHERE tenant = id ORDER BY k),
  ARRAY(SELECT image::text FROM labelled WHERE tenant = id)
FROM made ORDER BY n
"""
# What Resident.labelled reads: a million pictures would be gone through for each tenant.
_LOOKUP = """
CREATE TEMP TABLE labelled AS SELECT tenant, image FROM pictures WHERE annotation IS NOT NULL;
CREATE INDEX ON labelled (tenant);
CREATE INDEX ON others (tenant);
"""


def populate(maint_url: str, *, first: int, last: int, images: int, projects: int = 1) -> list[Resident]:
    """Makes tenants number `first` to `last`, each with `projects` projects, the first one of `images` images."""
    values = {
        "first": first,
        "last": last,
        "images": images,
        "labelled": int(images * LABELLED_SHARE),
        "projects": projects,
        "classes": CLASSES,
        "upload": UPLOAD,
        "jobs": JOBS,
        "lines": AUDIT_LINES,
        "hash": hashlib.sha256(SECRET.encode()).hexdigest(),
    }
    with closing(psycopg2.connect(maint_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_STATEMENTS, values)
        cursor.execute(_LOOKUP)
        cursor.execute(_MADE)
        made: Sequence[tuple[int, str, str, list[str], list[str]]] = cursor.fetchall()
        cursor.execute("DROP TABLE made, others, pictures, labelled, book, drawn")
    return [
        Resident(tenant, f"myr_{number:012x}_{SECRET}", project, others, labelled)
        for number, tenant, project, others, labelled in made
    ]


def analyze(owner_url: str) -> None:
    """Brings the planner's statistics and the visibility map up to date, as autovacuum would in time."""
    with closing(psycopg2.connect(owner_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
