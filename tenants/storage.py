"""The second door: a tenant's objects in S3.

Every call is signed with short-lived credentials that S3 itself limits to `t/{tenant_id}/` (AssumeRole with a
session policy), so a wrong key in our own code is refused by the other side. One thing is signed otherwise: upload
forms, because SeaweedFS takes no presigned POST of a session. They carry the service's own identity, which may do
nothing but assume the role and write to `t/*/incoming/*`, and name one exact key. Nothing here may run while a
transaction is open.
"""

import base64
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from django.conf import settings

from tenants.s3 import (
    AlreadyThere,
    ObjectBody,
    ObjectMissing,
    StorageUnavailable,
    administrator_client,
    borrowed,
    impatient_client,
    service_client,
    shared_client,
    tenant_credentials,
    translated,
)
from tenants.scope import refuse_open_transaction

__all__ = [
    "DOWNLOAD_SECONDS",
    "UPLOAD_SECONDS",
    "ObjectMissing",
    "ObjectTooLarge",
    "PostForm",
    "StorageUnavailable",
    "TenantStorage",
    "answers",
    "bootstrap",
]

# Seconds for which a presigned form or address is good. Made on demand, never stored.
UPLOAD_SECONDS = 900
DOWNLOAD_SECONDS = 300
# Of a large file that the server itself writes; S3 takes 10,000.
PART_BYTES = 32 * 1024 * 1024


class ObjectTooLarge(ValueError):
    """The object has more bytes than its reader takes."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"object is larger than {max_bytes} bytes")


@dataclass(frozen=True)
class PostForm:
    """A presigned POST: send `fields`, then `file`, as multipart/form-data to `url`."""

    url: str
    fields: dict[str, str]


def bootstrap() -> None:
    """Makes the bucket if it is missing, with the administrator's credentials, or else the service's."""
    client = administrator_client()
    with translated("make the bucket"):
        existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        if settings.S3_BUCKET not in existing:
            client.create_bucket(Bucket=settings.S3_BUCKET)


def answers() -> bool:
    """Whether S3 knows the service's identity."""
    with translated("ask S3 who we are"):
        impatient_client(settings.S3_ENDPOINT_URL).get_caller_identity()
    return True


class TenantStorage:
    """The objects under one tenant's prefix. Keys given and returned are relative to it."""

    def __init__(self, tenant_id: uuid.UUID) -> None:
        if not isinstance(tenant_id, uuid.UUID):
            raise TypeError("storage is built from a tenant's UUID")
        refuse_open_transaction("S3 traffic")
        self.prefix = f"t/{tenant_id}/"
        self._credentials = tenant_credentials.of(tenant_id)
        self._client = shared_client(settings.S3_ENDPOINT_URL)
        self._public = shared_client(settings.S3_PUBLIC_URL)

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
        form = service_client("s3", settings.S3_PUBLIC_URL).generate_presigned_post(
            settings.S3_BUCKET,
            exact["key"],
            Fields=exact,
            Conditions=[{name: value} for name, value in exact.items() if name != "key"]
            + [["content-length-range", size, size]],
            ExpiresIn=UPLOAD_SECONDS,
        )
        return PostForm(url=form["url"], fields=form["fields"])

    def presign_download(self, key: str, *, content_type: str, filename: str = "") -> str:
        """A short-lived address of the object; `filename` is what a browser saves it as."""
        # Only pictures are shown; a browser that is led to anything else saves it.
        disposition = "inline" if content_type.startswith("image/") else "attachment"
        parameters = self._object(key) | {
            "ResponseContentType": content_type,
            "ResponseContentDisposition": f"{disposition}; filename*=UTF-8''{quote(filename, safe='')}"
            if filename
            else disposition,
            # Immutable: the key is the hash of the bytes.
            "ResponseCacheControl": "private, max-age=86400, immutable",
        }
        with self._acting("sign an address"):
            return self._public.generate_presigned_url("get_object", Params=parameters, ExpiresIn=DOWNLOAD_SECONDS)

    def start_multipart(self, key: str, *, content_type: str) -> str:
        """Begins an upload in parts and returns its id."""
        with self._acting("start a multipart upload"):
            answer = self._client.create_multipart_upload(
                Bucket=settings.S3_BUCKET, Key=self.prefix + key, ContentType=content_type
            )
        return answer["UploadId"]

    def presign_part(self, key: str, *, upload_id: str, number: int, size: int) -> str:
        """An address that takes exactly `size` bytes as part `number`."""
        parameters = self._object(key) | {"UploadId": upload_id, "PartNumber": number, "ContentLength": size}
        with self._acting("sign an address"):
            return self._public.generate_presigned_url("upload_part", Params=parameters, ExpiresIn=UPLOAD_SECONDS)

    def uploaded_parts(
        self, key: str, *, upload_id: str, sizes: Mapping[int, int] | None = None
    ) -> dict[int, tuple[int, str]]:
        """What has arrived: part number → (bytes, ETag). Raises ObjectMissing when the upload is gone.

        SeaweedFS lists every attempt at a part, where S3 knows the last; one of the size in `sizes` is preferred.
        """
        with self._acting("list parts"):
            pages = self._client.get_paginator("list_parts").paginate(**self._object(key), UploadId=upload_id)
            listed = [part for page in pages for part in page.get("Parts", [])]
        wanted = sizes or {}
        listed.sort(key=lambda part: (part["Size"] == wanted.get(part["PartNumber"]), part["LastModified"]))
        return {part["PartNumber"]: (part["Size"], part["ETag"]) for part in listed}

    def finish_multipart(self, key: str, *, upload_id: str, parts: dict[int, tuple[int, str]]) -> None:
        listed = [{"PartNumber": number, "ETag": etag} for number, (_, etag) in sorted(parts.items())]
        with self._acting("complete a multipart upload"):
            self._client.complete_multipart_upload(
                **self._object(key),
                UploadId=upload_id,
                MultipartUpload={"Parts": cast("Any", listed)},
            )

    def abort_multipart(self, key: str, *, upload_id: str) -> None:
        """Forgets an upload in parts; one that is gone already is no error."""
        try:
            with self._acting("abort a multipart upload"):
                self._client.abort_multipart_upload(**self._object(key), UploadId=upload_id)
        except ObjectMissing:
            return

    def sizes(self, folder: str, *, names: Iterable[str]) -> dict[str, int]:
        """The bytes of those of `names` that exist in `folder`, by listing from each name on as far as a page goes.

        Names are UUIDv7, so a batch made together lies together: mostly one request a batch, at worst one a name.
        """
        base = f"{self.prefix}{folder}/"
        left = sorted(set(names))
        found: dict[str, int] = {}
        seen = ""
        with self._acting("list objects"):
            while left:
                # StartAfter is exclusive: one character less than the first name lies before it.
                page = self._client.list_objects_v2(
                    Bucket=settings.S3_BUCKET,
                    Prefix=base,
                    StartAfter=base + max(left[0][:-1], seen),
                    # Room for what others send at the same time; a full page costs 20 ms to read.
                    MaxKeys=min(1000, 4 * len(left) + 16),
                )
                listed = {entry["Key"].removeprefix(base): entry["Size"] for entry in page.get("Contents", [])}
                found |= {name: listed[name] for name in left if name in listed}
                if not (listed and page["IsTruncated"]):
                    break
                seen = max(listed)
                left = [name for name in left if name > seen]
        return found

    def download(self, key: str, path: Path, *, max_bytes: int) -> int:
        """Writes the object to `path` and returns its size; stops with ObjectTooLarge past `max_bytes`."""
        with self._acting("read an object"), self._opened(key) as body:
            written = 0
            with path.open("wb") as file:
                for chunk in body.iter_chunks(1024 * 1024):
                    written += len(chunk)
                    if written > max_bytes:
                        raise ObjectTooLarge(max_bytes)
                    file.write(chunk)
        return written

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """The object's bytes; ObjectTooLarge when they are more than `max_bytes`."""
        with self._acting("read an object"), self._opened(key) as body:
            data: bytes = body.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise ObjectTooLarge(max_bytes)
        return data

    def _opened(self, key: str) -> closing[ObjectBody]:
        """Closed in any case: what is not read to its end would hold a connection until it is found as garbage."""
        return closing(self._client.get_object(**self._object(key))["Body"])

    def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Writes an object that is not content-addressed (incoming, checkpoints); the same key may be sent again."""
        with self._acting("write an object"):
            self._client.put_object(**self._object(key), Body=data, ContentType=content_type)

    def put_once(self, key: str, path: Path, *, content_type: str, sha256: str) -> bool:
        """Writes a content-addressed object; False when it was there already, which is as good.

        S3 compares the bytes with `sha256` (hex) and refuses others.
        """
        try:
            with self._acting("write an object"):
                self._client.put_object(
                    **self._object(key),
                    Body=path.read_bytes(),
                    ContentType=content_type,
                    IfNoneMatch="*",
                    ChecksumSHA256=_base64(sha256),
                )
        except AlreadyThere:
            return False
        return True

    def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Writes a file of any size, in parts where it is large; S3 compares each with its hash.

        Broken off, it leaves nothing at the key.
        """
        if path.stat().st_size <= PART_BYTES:
            self.put(key, path.read_bytes(), content_type=content_type)
            return
        upload = self.start_multipart(key, content_type=content_type)
        try:
            parts: dict[int, tuple[int, str]] = {}
            with path.open("rb") as file:
                while data := file.read(PART_BYTES):
                    parts[len(parts) + 1] = self._put_part(key, upload, number=len(parts) + 1, data=data)
            self.finish_multipart(key, upload_id=upload, parts=parts)
        except BaseException:
            self.abort_multipart(key, upload_id=upload)
            raise

    def _put_part(self, key: str, upload_id: str, *, number: int, data: bytes) -> tuple[int, str]:
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        with self._acting("write a part"):
            answer = self._client.upload_part(
                **self._object(key), UploadId=upload_id, PartNumber=number, Body=data, ContentMD5=md5
            )
        return len(data), answer["ETag"]

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes objects; a missing one is no error."""
        names = [{"Key": self.prefix + key} for key in keys]
        with self._acting("delete objects"):
            for start in range(0, len(names), 1000):
                answer = self._client.delete_objects(
                    Bucket=settings.S3_BUCKET,
                    Delete={"Objects": cast("Any", names[start : start + 1000]), "Quiet": True},
                )
                if answer.get("Errors"):
                    raise StorageUnavailable(f"could not delete {len(answer['Errors'])} objects")

    def delete_folder(self, folder: str) -> int:
        """Deletes everything below `folder/`, however little; how many objects. Raises ValueError for the prefix."""
        name = folder.strip("/")
        if not name:
            raise ValueError("a folder must be named: all of a tenant's objects are not deleted at once")
        with self._acting("list objects"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=settings.S3_BUCKET, Prefix=f"{self.prefix}{name}/"
            )
            found = [entry["Key"].removeprefix(self.prefix) for page in pages for entry in page.get("Contents", [])]
        self.delete(found)
        return len(found)

    @contextmanager
    def _acting(self, action: str) -> Iterator[None]:
        """Signs what happens inside with this tenant's credentials, and translates its errors."""
        with translated(action), borrowed.lend(self._credentials):
            yield

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": settings.S3_BUCKET, "Key": self.prefix + key}


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
