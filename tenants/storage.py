"""The second door: a tenant's objects in S3. The only module that imports boto3 and botocore.

Every call is signed with short-lived credentials that S3 itself limits to `t/{tenant_id}/` (AssumeRole with a
session policy), so a wrong key in our own code is refused by the other side. One thing is signed otherwise: upload
forms, because SeaweedFS takes no presigned POST of a session. They carry the service's own identity, which may do
nothing but assume the role and write to `t/*/incoming/*`, and name one exact key. Nothing here may run while a
transaction is open.
"""

import base64
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from tenants.scope import refuse_open_transaction

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sts import STSClient

# Seconds for which a presigned form or address is good. Made on demand, never stored.
UPLOAD_SECONDS = 900
DOWNLOAD_SECONDS = 300
# AssumeRole's shortest; botocore renews credentials 15 minutes before their end.
_CREDENTIAL_SECONDS = 3600
# Clients kept a process; each is some 300 kB beside what they share.
_MAX_CLIENTS = 128
_CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=3,
    read_timeout=30,
    max_pool_connections=16,
    retries={"mode": "standard", "total_max_attempts": 3},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class StorageUnavailable(Exception):
    """S3 did not answer, or refused; the message names the operation and never carries a signature."""


class ObjectMissing(Exception):
    """There is no object at the key."""


@dataclass(frozen=True)
class PostForm:
    """A presigned POST: send `fields`, then `file`, as multipart/form-data to `url`."""

    url: str
    fields: dict[str, str]


def bootstrap() -> None:
    """Makes the bucket if it is missing, with the administrator's credentials, or else the service's."""
    client = cast("S3Client", _new_session_client("s3", settings.S3_ENDPOINT_URL, **settings.S3_ADMIN_CREDENTIALS))
    with _translated("make the bucket"):
        existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        if settings.S3_BUCKET not in existing:
            client.create_bucket(Bucket=settings.S3_BUCKET)


def answers() -> bool:
    """Whether S3 knows the service's identity."""
    with _translated("ask S3 who we are"):
        cast("STSClient", _service_client("sts", settings.S3_ENDPOINT_URL)).get_caller_identity()
    return True


class TenantStorage:
    """The objects under one tenant's prefix. Keys given and returned are relative to it."""

    def __init__(self, tenant_id: uuid.UUID) -> None:
        if not isinstance(tenant_id, uuid.UUID):
            raise TypeError("storage is built from a tenant's UUID")
        refuse_open_transaction("S3 traffic")
        self.prefix = f"t/{tenant_id}/"
        self._client, self._public = _clients.of(tenant_id)

    def presign_upload(self, key: str, *, size: int, content_type: str, sha256: str) -> PostForm:
        """A form that takes exactly `size` bytes of `content_type` with the hash `sha256` (hex) at `key`.

        The key must lie in `incoming/`.
        """
        exact = {
            "key": self.prefix + key,
            "Content-Type": content_type,
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": _base64(sha256),
        }
        service = cast("S3Client", _service_client("s3", settings.S3_PUBLIC_URL))
        form = service.generate_presigned_post(
            settings.S3_BUCKET,
            exact["key"],
            Fields=exact,
            Conditions=[{name: value} for name, value in exact.items() if name != "key"]
            + [["content-length-range", size, size]],
            ExpiresIn=UPLOAD_SECONDS,
        )
        return PostForm(url=form["url"], fields=form["fields"])

    def presign_download(self, key: str, *, content_type: str) -> str:
        return self._public.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": settings.S3_BUCKET,
                "Key": self.prefix + key,
                "ResponseContentType": content_type,
                # Immutable: the key is the hash of the bytes.
                "ResponseCacheControl": "private, max-age=86400, immutable",
            },
            ExpiresIn=DOWNLOAD_SECONDS,
        )

    def start_multipart(self, key: str, *, content_type: str) -> str:
        """Begins an upload in parts and returns its id."""
        with _translated("start a multipart upload"):
            answer = self._client.create_multipart_upload(
                Bucket=settings.S3_BUCKET, Key=self.prefix + key, ContentType=content_type
            )
        return answer["UploadId"]

    def presign_part(self, key: str, *, upload_id: str, number: int) -> str:
        parameters = self._object(key) | {"UploadId": upload_id, "PartNumber": number}
        return self._public.generate_presigned_url("upload_part", Params=parameters, ExpiresIn=UPLOAD_SECONDS)

    def uploaded_parts(
        self, key: str, *, upload_id: str, sizes: Mapping[int, int] | None = None
    ) -> dict[int, tuple[int, str]]:
        """What has arrived: part number → (bytes, ETag). Raises ObjectMissing when the upload is gone.

        SeaweedFS lists every attempt at a part, where S3 knows the last; one of the size in `sizes` is preferred.
        """
        with _translated("list parts"):
            pages = self._client.get_paginator("list_parts").paginate(**self._object(key), UploadId=upload_id)
            listed = [part for page in pages for part in page.get("Parts", [])]
        wanted = sizes or {}
        listed.sort(key=lambda part: (part["Size"] == wanted.get(part["PartNumber"]), part["LastModified"]))
        return {part["PartNumber"]: (part["Size"], part["ETag"]) for part in listed}

    def finish_multipart(self, key: str, *, upload_id: str, parts: dict[int, tuple[int, str]]) -> None:
        listed = [{"PartNumber": number, "ETag": etag} for number, (_, etag) in sorted(parts.items())]
        with _translated("complete a multipart upload"):
            self._client.complete_multipart_upload(
                **self._object(key),
                UploadId=upload_id,
                MultipartUpload={"Parts": cast("Any", listed)},
            )

    def abort_multipart(self, key: str, *, upload_id: str) -> None:
        """Forgets an upload in parts; one that is gone already is no error."""
        try:
            with _translated("abort a multipart upload"):
                self._client.abort_multipart_upload(**self._object(key), UploadId=upload_id)
        except ObjectMissing:
            return

    def sizes(self, folder: str, *, names: Iterable[str]) -> dict[str, int]:
        """The bytes of those of `names` that exist in `folder`, by listing the range they span.

        Names are UUIDv7, so a batch made together lies together: some requests a batch, not one a name.
        """
        wanted = sorted(names)
        found: dict[str, int] = {}
        if not wanted:
            return found
        base = f"{self.prefix}{folder}/"
        # StartAfter is exclusive: one character less than the first name lies before it.
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=settings.S3_BUCKET, Prefix=base, StartAfter=base + wanted[0][:-1]
        )
        with _translated("list objects"):
            for entry in _entries(pages):
                name = entry["Key"].removeprefix(base)
                if name > wanted[-1]:
                    break
                found[name] = entry["Size"]
        return {name: found[name] for name in wanted if name in found}

    def download(self, key: str, path: Path, *, max_bytes: int) -> int:
        """Writes the object to `path` and returns its size; stops with ValueError past `max_bytes`."""
        with _translated("read an object"):
            body = self._client.get_object(**self._object(key))["Body"]
            written = 0
            with path.open("wb") as file:
                for chunk in body.iter_chunks(1024 * 1024):
                    written += len(chunk)
                    if written > max_bytes:
                        raise ValueError(f"object is larger than {max_bytes} bytes")
                    file.write(chunk)
        return written

    def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Writes an object of the incoming folder, where the same key may be sent again."""
        with _translated("write an object"):
            self._client.put_object(**self._object(key), Body=data, ContentType=content_type)

    def put_once(self, key: str, path: Path, *, content_type: str, sha256: str) -> bool:
        """Writes a content-addressed object; False when it was there already, which is as good.

        S3 compares the bytes with `sha256` (hex) and refuses others.
        """
        try:
            with _translated("write an object"):
                self._client.put_object(
                    **self._object(key),
                    Body=path.read_bytes(),
                    ContentType=content_type,
                    IfNoneMatch="*",
                    ChecksumSHA256=_base64(sha256),
                )
        except _AlreadyThere:
            return False
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes objects; a missing one is no error."""
        names = [{"Key": self.prefix + key} for key in keys]
        with _translated("delete objects"):
            for start in range(0, len(names), 1000):
                answer = self._client.delete_objects(
                    Bucket=settings.S3_BUCKET,
                    Delete={"Objects": cast("Any", names[start : start + 1000]), "Quiet": True},
                )
                if answer.get("Errors"):
                    raise StorageUnavailable(f"could not delete {len(answer['Errors'])} objects")

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": settings.S3_BUCKET, "Key": self.prefix + key}


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


class _AlreadyThere(Exception):
    pass


class _translated:  # noqa: N801 - reads as a verb at its uses
    """Turns botocore's errors into ours, and refuses to run inside a transaction."""

    def __init__(self, action: str) -> None:
        self.action = action

    def __enter__(self) -> None:
        refuse_open_transaction(f"S3 traffic ({self.action})")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            code = error.response["Error"].get("Code", "")
            if code in {"NoSuchKey", "NoSuchUpload", "404"}:
                raise ObjectMissing(f"could not {self.action}: it is not there") from error
            if code in {"PreconditionFailed", "412"}:
                raise _AlreadyThere from error
            raise StorageUnavailable(f"could not {self.action}: {code}") from error
        if isinstance(error, BotoCoreError):
            raise StorageUnavailable(f"could not {self.action}: {type(error).__name__}") from error


def _entries(pages: Iterable[Any]) -> Iterator[Any]:
    for page in pages:
        yield from page.get("Contents", [])


class _Clients:
    """Clients by tenant, least recently used first out. One session's data is shared by all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[uuid.UUID, tuple[S3Client, S3Client]] = OrderedDict()

    def of(self, tenant_id: uuid.UUID) -> "tuple[S3Client, S3Client]":
        """The tenant's clients: one for our own traffic, one that signs for the public address."""
        with self._lock:
            if tenant_id in self._kept:
                self._kept.move_to_end(tenant_id)
                return self._kept[tenant_id]
        made = self._make(tenant_id)
        with self._lock:
            self._kept[tenant_id] = made
            while len(self._kept) > _MAX_CLIENTS:
                self._kept.popitem(last=False)
        return made

    def _make(self, tenant_id: uuid.UUID) -> "tuple[S3Client, S3Client]":
        def renew() -> dict[str, str]:
            return _assume_role(tenant_id)

        credentials = RefreshableCredentials.create_from_metadata(
            metadata=renew(), refresh_using=renew, method="sts-assume-role"
        )
        session = botocore.session.Session()
        session.register_component("data_loader", _loader())
        session._credentials = credentials  # type: ignore[attr-defined]  # assumed roles have no public setter
        own = _client(session, "s3", settings.S3_ENDPOINT_URL)
        public = own
        if settings.S3_PUBLIC_URL != settings.S3_ENDPOINT_URL:
            public = _client(session, "s3", settings.S3_PUBLIC_URL)
        return own, public


_clients = _Clients()
_shared_loader: list[Any] = []
_service_clients: dict[tuple[str, str | None], Any] = {}
_service_lock = threading.Lock()


def _loader() -> Any:
    if not _shared_loader:
        _shared_loader.append(botocore.session.Session().get_component("data_loader"))
    return _shared_loader[0]


def _client(session: botocore.session.Session, service: str, endpoint: str | None) -> Any:
    return session.create_client(service, region_name=settings.AWS_REGION, endpoint_url=endpoint, config=_CONFIG)


def _service_client(service: str, endpoint: str | None) -> Any:
    with _service_lock:
        if (service, endpoint) not in _service_clients:
            _service_clients[service, endpoint] = _new_session_client(service, endpoint)
        return _service_clients[service, endpoint]


def _new_session_client(service: str, endpoint: str | None, **credentials: str) -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    if credentials:
        session.set_credentials(**credentials)
    return _client(session, service, endpoint)


def session_policy(tenant_id: uuid.UUID) -> dict[str, Any]:
    """What a tenant's credentials may do: objects under its prefix, and listing that prefix. Denied otherwise."""
    bucket = f"arn:aws:s3:::{settings.S3_BUCKET}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:PutObject",
                    "s3:DeleteObject",
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                ],
                "Resource": f"{bucket}/t/{tenant_id}/*",
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": bucket,
                "Condition": {"StringLike": {"s3:prefix": [f"t/{tenant_id}/*"]}},
            },
        ],
    }


def _assume_role(tenant_id: uuid.UUID) -> dict[str, str]:
    sts = cast("STSClient", _service_client("sts", settings.S3_ENDPOINT_URL))
    with _translated("take the tenant's storage credentials"):
        given = sts.assume_role(
            RoleArn=settings.S3_ROLE_ARN,
            RoleSessionName=f"tenant-{tenant_id}",
            Policy=json.dumps(session_policy(tenant_id)),
            DurationSeconds=_CREDENTIAL_SECONDS,
        )["Credentials"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": given["Expiration"].isoformat(),
    }
