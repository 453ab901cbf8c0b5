"""How S3 is spoken to: clients, credentials and errors. Only `tenants.storage` imports this,
and `tenants.cors`, which knows the bucket but no object in it.

The clients are shared by all tenants, since making one costs 15 ms; what differs is the credentials a call is signed
with. Those of a tenant come from AssumeRole with a session policy that names the tenant's prefix and nothing else.
"""

import functools
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from django.conf import settings

from tenants.scope import refuse_open_transaction

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sts import STSClient

# What an object's bytes are read from.
ObjectBody: TypeAlias = StreamingBody

# AssumeRole's shortest; botocore renews credentials 15 minutes before their end.
_CREDENTIAL_SECONDS = 3600
# Tenants whose credentials a process keeps; each takes some 2 kB.
_MAX_CREDENTIALS = 10_000
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

_IMPATIENT = _CONFIG.merge(Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}))


class StorageUnavailable(Exception):
    """S3 did not answer, or refused; the message names the operation and never carries a signature.

    `code` is S3's word for it, empty when it did not answer.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ObjectMissing(Exception):
    """There is no object at the key."""


class AlreadyThere(Exception):
    """The object of that key exists (a write that must be the first was not)."""


class translated:  # noqa: N801 - reads as a verb at its uses
    """Turns botocore's errors into ours, and refuses to run inside a transaction."""

    def __init__(self, action: str) -> None:
        self.action = action

    def __enter__(self) -> None:
        refuse_open_transaction(f"S3 traffic ({self.action})")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in {"NoSuchKey", "NoSuchUpload", "404"}:
                raise ObjectMissing(f"could not {self.action}: it is not there") from error
            if code in {"PreconditionFailed", "412"}:
                raise AlreadyThere from error
            raise StorageUnavailable(f"could not {self.action}: {code}", code=code) from error
        if isinstance(error, BotoCoreError):
            raise StorageUnavailable(f"could not {self.action}: {type(error).__name__}") from error


class Borrowed(Credentials):
    """The credentials of the shared clients: those of the tenant this thread acts for, or none at all.

    A client costs 15 ms to make; credentials cost one AssumeRole. So the clients are shared, and each call signs with
    what its storage lends it. Outside a loan, signing fails.
    """

    def __init__(self) -> None:
        super().__init__(access_key="", secret_key="", method="tenant")
        self._loan = threading.local()

    @contextmanager
    def lend(self, credentials: RefreshableCredentials) -> Iterator[None]:
        before = getattr(self._loan, "credentials", None)
        self._loan.credentials = credentials
        try:
            yield
        finally:
            self._loan.credentials = before

    def get_frozen_credentials(self) -> Any:
        lent = getattr(self._loan, "credentials", None)
        if lent is None:
            raise RuntimeError("S3 is spoken to as a tenant, through TenantStorage")
        return lent.get_frozen_credentials()


class TenantCredentials:
    """Short-lived credentials by tenant, least recently used first out; botocore renews them before their end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[uuid.UUID, RefreshableCredentials] = OrderedDict()

    def of(self, tenant_id: uuid.UUID) -> RefreshableCredentials:
        with self._lock:
            if tenant_id in self._kept:
                self._kept.move_to_end(tenant_id)
                return self._kept[tenant_id]
        renew = functools.partial(assume_role, tenant_id)
        made = RefreshableCredentials.create_from_metadata(
            metadata=renew(), refresh_using=renew, method="sts-assume-role"
        )
        with self._lock:
            self._kept[tenant_id] = made
            while len(self._kept) > _MAX_CREDENTIALS:
                self._kept.popitem(last=False)
        return made


borrowed = Borrowed()
tenant_credentials = TenantCredentials()
_clients: dict[tuple[str, str | None, Any], Any] = {}
_clients_lock = threading.RLock()
# Read once: botocore's description of S3 is large.
_loader = functools.cache(lambda: botocore.session.Session().get_component("data_loader"))


def shared_client(endpoint: str | None) -> "S3Client":
    """The client of every tenant's calls to `endpoint`."""
    return cast("S3Client", _kept_client("s3", endpoint, credentials=borrowed))


def service_client(service: str, endpoint: str | None) -> Any:
    """A client under the service's own identity, from the environment."""
    return _kept_client(service, endpoint, credentials=None)


def _kept_client(service: str, endpoint: str | None, *, credentials: Credentials | None) -> Any:
    with _clients_lock:
        name = (service, endpoint, credentials)
        if name not in _clients:
            _clients[name] = new_client(service, endpoint, credentials=credentials)
        return _clients[name]


def administrator_client() -> "S3Client":
    """For making the bucket: the administrator's credentials where they are given, else the service's."""
    given = settings.S3_ADMIN_CREDENTIALS
    credentials = Credentials(**given) if given else None
    return cast("S3Client", new_client("s3", settings.S3_ENDPOINT_URL, credentials=credentials))


@functools.cache
def impatient_client(endpoint: str | None) -> "STSClient":
    """For asking whether S3 is there: who asks does not wait half a minute for the answer."""
    return cast("STSClient", new_client("sts", endpoint, credentials=None, config=_IMPATIENT))


def new_client(service: str, endpoint: str | None, *, credentials: Credentials | None, config: Config = _CONFIG) -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    if credentials is not None:
        session._credentials = credentials  # type: ignore[attr-defined]  # credentials of one's own have no setter
    return session.create_client(service, region_name=settings.AWS_REGION, endpoint_url=endpoint, config=config)


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


def assume_role(tenant_id: uuid.UUID) -> dict[str, str]:
    sts: STSClient = service_client("sts", settings.S3_ENDPOINT_URL)
    with translated("take the tenant's storage credentials"):
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
