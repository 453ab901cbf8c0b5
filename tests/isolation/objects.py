"""Calls by which one tenant's credentials would reach another's objects, and what is there to be reached."""

import hashlib
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from django.conf import settings

from projects.domain.exporting import export_key
from projects.domain.images import image_key
from projects.domain.import_archives import results_key
from projects.domain.manifests import coco_key, manifest_key
from tenants import s3
from tenants.storage import TenantStorage
from tests.isolation.imports import results
from tests.isolation.world import World, kept_bytes
from training.domain.artifacts import artifact_key, checkpoint_key

BUCKET = "myriad"
STORED = hashlib.sha256(kept_bytes("acme", "stored")).hexdigest()
EXPORTED = artifact_key(hashlib.sha256(b"acme onnx").hexdigest())
ARCHIVE = export_key(export_id=uuid.UUID(int=1), sha256=STORED)
CHECKPOINT = checkpoint_key(run_id=uuid.UUID(int=1), token=1, name="final", step=100)
IMPORTED = hashlib.sha256(results("acme")).hexdigest()
Probe = Callable[[Any, str, str], Any]

# (client, another's prefix, own prefix) → a call that must be refused.
PROBES: dict[str, Probe] = {
    "get": lambda s3, theirs, _: s3.get_object(Bucket=BUCKET, Key=theirs + image_key(STORED)),
    "get a manifest": lambda s3, theirs, _: s3.get_object(Bucket=BUCKET, Key=theirs + manifest_key(STORED)),
    "get an export": lambda s3, theirs, _: s3.get_object(Bucket=BUCKET, Key=theirs + coco_key(STORED)),
    "get an import": lambda s3, theirs, _: s3.get_object(Bucket=BUCKET, Key=theirs + results_key(IMPORTED)),
    "plant an import": lambda s3, theirs, _: s3.put_object(
        Bucket=BUCKET, Key=theirs + results_key(IMPORTED), Body=b"x"
    ),
    "plant a manifest": lambda s3, theirs, _: s3.put_object(
        Bucket=BUCKET, Key=theirs + manifest_key(STORED), Body=b"x"
    ),
    "get an archive": lambda s3, theirs, _: s3.get_object(Bucket=BUCKET, Key=theirs + ARCHIVE),
    "get a model": lambda s3, theirs, _: s3.get_object(Bucket=BUCKET, Key=theirs + EXPORTED),
    "plant a model": lambda s3, theirs, _: s3.put_object(Bucket=BUCKET, Key=theirs + EXPORTED, Body=b"x"),
    "plant a checkpoint": lambda s3, theirs, _: s3.put_object(Bucket=BUCKET, Key=theirs + CHECKPOINT, Body=b"x"),
    "list checkpoints": lambda s3, theirs, _: s3.list_objects_v2(Bucket=BUCKET, Prefix=theirs + "checkpoints/"),
    "head": lambda s3, theirs, _: s3.head_object(Bucket=BUCKET, Key=theirs + image_key(STORED)),
    "put": lambda s3, theirs, _: s3.put_object(Bucket=BUCKET, Key=theirs + "incoming/x", Body=b"x"),
    "overwrite": lambda s3, theirs, _: s3.put_object(Bucket=BUCKET, Key=theirs + image_key(STORED), Body=b"x"),
    "copy out": lambda s3, theirs, own: s3.copy_object(
        Bucket=BUCKET, Key=own + "incoming/loot", CopySource=f"{BUCKET}/{theirs}{image_key(STORED)}"
    ),
    "copy in": lambda s3, theirs, own: s3.copy_object(
        Bucket=BUCKET, Key=theirs + "incoming/gift", CopySource=f"{BUCKET}/{own}incoming/x"
    ),
    "copy a part out": lambda s3, theirs, own: s3.upload_part_copy(
        Bucket=BUCKET,
        Key=own + "incoming/loot",
        PartNumber=1,
        UploadId=s3.create_multipart_upload(Bucket=BUCKET, Key=own + "incoming/loot")["UploadId"],
        CopySource=f"{BUCKET}/{theirs}{image_key(STORED)}",
    ),
    "delete": lambda s3, theirs, _: s3.delete_object(Bucket=BUCKET, Key=theirs + image_key(STORED)),
    "list": lambda s3, theirs, _: s3.list_objects_v2(Bucket=BUCKET, Prefix=theirs),
    "list, old way": lambda s3, theirs, _: s3.list_objects(Bucket=BUCKET, Prefix=theirs),
    "list all tenants": lambda s3, _, __: s3.list_objects_v2(Bucket=BUCKET, Prefix="t/", Delimiter="/"),
    "list without a prefix": lambda s3, _, __: s3.list_objects_v2(Bucket=BUCKET),
    "list versions": lambda s3, theirs, _: s3.list_object_versions(Bucket=BUCKET, Prefix=theirs),
    "list uploads": lambda s3, _, __: s3.list_multipart_uploads(Bucket=BUCKET),
    "begin an upload in parts": lambda s3, theirs, _: s3.create_multipart_upload(Bucket=BUCKET, Key=theirs + "x"),
    "tags": lambda s3, theirs, _: s3.get_object_tagging(Bucket=BUCKET, Key=theirs + image_key(STORED)),
    "tag": lambda s3, theirs, _: s3.put_object_tagging(
        Bucket=BUCKET, Key=theirs + image_key(STORED), Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "access list": lambda s3, theirs, _: s3.get_object_acl(Bucket=BUCKET, Key=theirs + image_key(STORED)),
    "give access": lambda s3, theirs, _: s3.put_object_acl(
        Bucket=BUCKET, Key=theirs + image_key(STORED), ACL="public-read"
    ),
    "read the policy": lambda s3, _, __: s3.get_bucket_policy(Bucket=BUCKET),
    "write a policy": lambda s3, _, __: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
    "buckets": lambda s3, _, __: s3.create_bucket(Bucket="loot"),
}


def client(tenant_id: uuid.UUID) -> Any:
    """A client with the very credentials with which the server and its jobs work for a tenant."""
    return s3.new_client("s3", settings.S3_ENDPOINT_URL, credentials=TenantStorage(tenant_id)._credentials)


def session(service: str, **credentials: str) -> Any:
    """A client under credentials of the test's choice."""
    return s3.new_client(service, settings.S3_ENDPOINT_URL, credentials=Credentials(**credentials))


def refused(probe: Probe, s3: Any, world: World) -> str:
    with pytest.raises(ClientError) as caught:
        probe(s3, f"t/{world.acme.tenant}/", f"t/{world.bolt.tenant}/")
    return str(caught.value.response["Error"]["Code"])


def acmes_objects(world: World) -> dict[str, str]:
    """All that Acme has in S3, as the bucket's owner sees it: key → hash."""
    listed = _owner().list_objects_v2(Bucket=BUCKET, Prefix=f"t/{world.acme.tenant}/")
    return {entry["Key"]: entry["ETag"] for entry in listed.get("Contents", [])}


@cache
def _owner() -> Any:
    return s3.administrator_client()
