"""The local S3 refuses what AWS would refuse: another tenant's prefix, and more than a session was given."""

import base64
import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy.local.addresses import Addresses
from deploy.local.engines import engines

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "myriad"
# `ab` begins with `a`: a prefix that forgets its slash takes the one for the other.
OWN, OTHERS = "a", ("b", "ab")
IMAGE = b"an image"
CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})


@dataclass(frozen=True)
class Store:
    addresses: Addresses

    def client(self, name: str, key: str, secret: str, token: str | None = None) -> Any:
        return boto3.client(
            name,  # type: ignore[call-overload]  # the stubs know clients by literal name only
            endpoint_url=self.addresses.s3_endpoint_url,
            region_name=self.addresses.aws_region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=CONFIG,
        )

    def admin(self) -> "S3Client":
        key, secret = self.addresses.s3_admin_access_key_id, self.addresses.s3_admin_secret_access_key
        client: S3Client = self.client("s3", key, secret)
        return client

    def service(self, name: str = "s3") -> Any:
        return self.client(name, self.addresses.aws_access_key_id, self.addresses.aws_secret_access_key)

    def session(self, tenant: str, name: str = "s3") -> Any:
        """A client with temporary credentials for one tenant's prefix, as the server makes them."""
        given = self.service("sts").assume_role(
            RoleArn=self.addresses.s3_role_arn,
            RoleSessionName=f"tenant-{tenant}",
            Policy=session_policy(tenant),
        )["Credentials"]
        return self.client(name, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def session_policy(tenant: str) -> str:
    objects = ["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": [f"s3:{action}" for action in objects],
                    "Resource": f"arn:aws:s3:::{BUCKET}/t/{tenant}/*",
                },
                {
                    "Effect": "Allow",
                    "Action": "s3:ListBucket",
                    "Resource": f"arn:aws:s3:::{BUCKET}",
                    "Condition": {"StringLike": {"s3:prefix": f"t/{tenant}/*"}},
                },
            ],
        }
    )


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    folder = Path(tempfile.mkdtemp(prefix="myriad-s3-"))
    with engines(folder, durable=False, replaced={"postgres", "valkey"}) as running:
        made = Store(running.addresses)
        for tenant in (OWN, *OTHERS):
            made.admin().put_object(Bucket=BUCKET, Key=f"t/{tenant}/image", Body=tenant.encode())
        yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def session(store: Store) -> "S3Client":
    client: S3Client = store.session(OWN)
    return client


@contextlib.contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def multi_delete(client: "S3Client", key: str) -> None:
    """S3 answers 200 with an error for each key; raise it, as the single delete does."""
    for error in client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}]}).get("Errors", []):
        raise ClientError(
            {"Error": {"Code": error["Code"]}, "ResponseMetadata": {"HTTPStatusCode": 403}},  # type: ignore[typeddict-item]  # only what `refused` reads
            "DeleteObjects",
        )


def part_copy(client: "S3Client", key: str) -> None:
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=f"t/{OWN}/parts")["UploadId"]
    client.upload_part_copy(
        Bucket=BUCKET, Key=f"t/{OWN}/parts", UploadId=upload, PartNumber=1, CopySource=f"{BUCKET}/{key}"
    )


Probe = Callable[["S3Client", str], Any]
PROBES: dict[str, Probe] = {
    "get": lambda s3, key: s3.get_object(Bucket=BUCKET, Key=key),
    "head": lambda s3, key: s3.head_object(Bucket=BUCKET, Key=key),
    "put": lambda s3, key: s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs"),
    "copy from": lambda s3, key: s3.copy_object(Bucket=BUCKET, Key=f"t/{OWN}/copy", CopySource=f"{BUCKET}/{key}"),
    "part copy from": part_copy,
    "list": lambda s3, key: s3.list_objects_v2(Bucket=BUCKET, Prefix=key.rpartition("/")[0] + "/"),
    "multipart": lambda s3, key: s3.create_multipart_upload(Bucket=BUCKET, Key=key),
    "multi-delete": multi_delete,
    "delete": lambda s3, key: s3.delete_object(Bucket=BUCKET, Key=key),
}


@pytest.mark.parametrize("name", PROBES)
def test_a_session_reaches_its_own_prefix(store: Store, session: "S3Client", name: str) -> None:
    store.admin().put_object(Bucket=BUCKET, Key=f"t/{OWN}/image", Body=b"own")
    PROBES[name](session, f"t/{OWN}/image")


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("other", OTHERS)
def test_a_session_is_refused_another_prefix(store: Store, session: "S3Client", name: str, other: str) -> None:
    with refused():
        PROBES[name](session, f"t/{other}/image")
    assert store.admin().get_object(Bucket=BUCKET, Key=f"t/{other}/image")["Body"].read() == other.encode()


@pytest.mark.parametrize("prefix", ["", "t", "t/", f"t/{OWN}"])
def test_a_session_lists_nothing_above_its_prefix(session: "S3Client", prefix: str) -> None:
    with refused():
        session.list_objects_v2(Bucket=BUCKET, Prefix=prefix)


def test_a_session_cannot_widen_itself(store: Store) -> None:
    sts = store.session(OWN, "sts")
    for policy in ({}, {"Policy": session_policy("b")}):
        with refused():
            sts.assume_role(RoleArn=store.addresses.s3_role_arn, RoleSessionName="wider", **policy)
    with refused():
        sts.get_federation_token(Name="wider")


def test_a_session_administers_nothing(session: "S3Client") -> None:
    with refused():
        session.create_bucket(Bucket="another")
    with refused():
        session.delete_bucket(Bucket=BUCKET)
    with refused():
        session.put_bucket_policy(Bucket=BUCKET, Policy="{}")
    assert session.list_buckets()["Buckets"] == []


@pytest.mark.parametrize("name", PROBES)
def test_the_service_itself_reaches_no_tenant(store: Store, name: str) -> None:
    with refused():
        PROBES[name](store.service(), "t/b/image")


def test_nobody_else_is_let_in(store: Store) -> None:
    address = f"{store.addresses.s3_endpoint_url}/{BUCKET}/t/{OWN}/image"
    assert httpx.get(address).status_code == 403
    assert httpx.delete(address).status_code == 403
    forged = store.client("s3", store.addresses.aws_access_key_id, "wrong")
    with refused():
        forged.list_objects_v2(Bucket=BUCKET)


def test_presigned_addresses_obey_the_session(session: "S3Client") -> None:
    def fetch(key: str) -> int:
        url = session.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        return httpx.get(url).status_code

    session.put_object(Bucket=BUCKET, Key=f"t/{OWN}/image", Body=b"own")
    assert fetch(f"t/{OWN}/image") == 200
    assert fetch("t/b/image") == 403


def post_form(store: Store, key: str) -> dict[str, Any]:
    exact = {
        "Content-Type": "image/png",
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(IMAGE).digest()).decode(),
    }
    conditions = [
        *({name: value} for name, value in exact.items()),
        ["content-length-range", len(IMAGE), len(IMAGE)],
    ]
    form: dict[str, Any] = store.service().generate_presigned_post(
        BUCKET, key, Fields=exact, Conditions=conditions, ExpiresIn=60
    )
    return form


def send(form: dict[str, Any], body: bytes = IMAGE, **changed: str) -> int:
    fields = form["fields"] | {name.replace("_", "-"): value for name, value in changed.items()}
    return httpx.post(form["url"], data=fields, files={"file": ("image.png", body)}).status_code


def test_a_form_takes_exactly_what_was_signed(store: Store) -> None:
    form = post_form(store, f"t/{OWN}/incoming/1")
    assert send(form) == 204
    assert store.session(OWN).get_object(Bucket=BUCKET, Key=f"t/{OWN}/incoming/1")["Body"].read() == IMAGE
    assert send(form, b"an imagf") == 400
    assert send(form, IMAGE + b"!") == 400
    assert send(form, b"") == 400
    assert send(form, key="t/b/incoming/1") == 403
    assert send(form, Content_Type="text/html") == 403


@pytest.mark.parametrize("key", [f"t/{OWN}/image", "t/b/other", "incoming/1", "image"])
def test_the_service_signs_forms_for_incoming_objects_only(store: Store, key: str) -> None:
    assert send(post_form(store, key)) == 403
