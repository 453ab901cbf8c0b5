"""Models in bulk, by SQL under the maintenance role and boto3: rows and objects as finished runs leave them."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import boto3
import psycopg2
from botocore.config import Config

from tests.benchmarks.stack import Stack
from tests.heads import BACKBONE, Artifacts


@dataclass(frozen=True)
class Registered:
    """A model: its id, its tenant's, and which artifacts it has."""

    model: str
    tenant: str
    artifacts: Artifacts


_STATEMENTS = """
CREATE TEMP TABLE made AS
  SELECT uuidv7() AS model, uuidv7() AS run, uuidv7() AS job, uuidv7() AS snapshot, p.tenant_id, p.id AS project,
    m.id AS member, k, ((n + k) %% %(kinds)s)::int + 1 AS kind
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM projects_project) p
  JOIN tenants_member m ON m.tenant_id = p.tenant_id,
  LATERAL generate_series(1, CASE WHEN n = 1 THEN %(first)s ELSE 1 END) AS k;
INSERT INTO tenants_job (id, tenant_id, kind, key, pool, lane, state, spec, progress, traceback, attempts,
    max_attempts, token, worker, created_at, due_at)
  SELECT job, tenant_id, 'train', run::text, 'cpu', 'LONG', 'SUCCEEDED', '{}', '{}', '', 1, 3, 1, '', now(), now()
  FROM made;
INSERT INTO projects_snapshot (id, tenant_id, project_id, number, note, status, manifest_sha256, coco_sha256,
    image_count, box_count, classes, splits, created_by_id, created_at)
  SELECT snapshot, tenant_id, project, k, '', 'READY', repeat('0', 64), repeat('0', 64), 50, 80, '[]', '{}', member,
    now() FROM made;
INSERT INTO training_run (id, tenant_id, project_id, number, snapshot_id, recipe, recipe_version, seed, job_id,
    checkpoints, curve, created_by_id, created_at)
  SELECT run, tenant_id, project, k, snapshot, 'fast', 1, 0, job, '{}', '[]', member, now() FROM made;
INSERT INTO training_model (id, tenant_id, project_id, number, run_id, snapshot_id, recipe, classes, backbone,
    backbone_sha256, long_side, weights_sha256, description_sha256, parity_sha256, size, lineage, created_at)
  SELECT model, tenant_id, project, k, run, snapshot, 'fast',
    '[{"id": "0", "name": "dent"}, {"id": "1", "name": "scratch"}]', %(backbone)s, %(sha256)s, %(long_side)s,
    (%(weights)s::text[])[kind], (%(descriptions)s::text[])[kind], repeat('0', 64), 400000, '{}', now() FROM made;
"""


def register(stack: Stack, kinds: Sequence[Artifacts], *, first: int, sha256: str, long_side: int) -> list[Registered]:
    """Gives each tenant's project one model, the first tenant's `first`; their files are drawn from `kinds`."""
    values = {
        "kinds": len(kinds),
        "first": first,
        "backbone": BACKBONE,
        "sha256": sha256,
        "long_side": long_side,
        "weights": [kind.weights_sha256 for kind in kinds],
        "descriptions": [kind.description_sha256 for kind in kinds],
    }
    with (
        closing(psycopg2.connect(stack.env["DATABASE_MAINT_URL"])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(_STATEMENTS, values)
        cursor.execute("SELECT model::text, tenant_id::text, kind FROM made ORDER BY tenant_id, k")
        made: Sequence[tuple[str, str, int]] = cursor.fetchall()
        cursor.execute("DROP TABLE made")
    return [Registered(model, tenant, kinds[kind - 1]) for model, tenant, kind in made]


def store(stack: Stack, models: Iterable[Registered]) -> None:
    """Puts the models' files where they belong, as the bucket's owner."""
    client = boto3.client(
        "s3",
        endpoint_url=stack.env["S3_ENDPOINT_URL"],
        region_name=stack.env.get("AWS_REGION", "us-east-1"),
        aws_access_key_id=stack.env["S3_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.env["S3_ADMIN_SECRET_ACCESS_KEY"],
        config=Config(max_pool_connections=8, s3={"addressing_style": "path"}),
    )

    def put(model: Registered) -> None:
        own = model.artifacts
        for sha256, data in ((own.weights_sha256, own.weights), (own.description_sha256, own.description)):
            client.put_object(Bucket=stack.env["S3_BUCKET"], Key=f"t/{model.tenant}/artifacts/{sha256}", Body=data)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, models))
