"""Which pages may speak with the bucket: browsers send files straight to S3, and S3 must allow our origin.

A rule of the bucket, made by `manage.py storage bootstrap` with the administrator's credentials: the service's own
identity may not change the bucket. `manage.py storage check` asks as a browser would.
"""

import contextlib
import http.client
import ssl
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from tenants.s3 import StorageUnavailable, administrator_client, service_client, translated

# Ours among the bucket's rules; those of others stay as they are.
RULE = "myriad-pages"
METHODS = ("GET", "HEAD", "POST", "PUT")
# What an S3 says that does not know such rules, or lets this identity make none.
_UNABLE = frozenset({"NotImplemented", "MethodNotAllowed", "AccessDenied", "UnsupportedOperation"})
_LOOPBACK = ("127.0.0.1", "localhost")
# Seconds that a browser need not ask again.
_MAX_AGE = 3600


def page_origins() -> list[str]:
    """The origins of our pages: PUBLIC_URL's; on this machine alone, whichever of its names is typed."""
    address = urlsplit(settings.PUBLIC_URL)
    name = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
    # As browsers write it: without the port that goes without saying.
    usual = address.port is None or address.port == {"http": 80, "https": 443}.get(address.scheme)
    port = "" if usual else f":{address.port}"
    return [f"{address.scheme}://{host}{port}" for host in (_LOOPBACK if name in _LOOPBACK else (name,))]


def allow_pages() -> bool:
    """Lets our pages speak with the bucket; repeatable. False where this S3 takes no such rule from us."""
    client: Any = administrator_client()
    rules = _rules(client)
    wanted: dict[str, Any] = {
        "ID": RULE,
        "AllowedOrigins": page_origins(),
        "AllowedMethods": list(METHODS),
        "AllowedHeaders": ["*"],
        # The receipt of a part.
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": _MAX_AGE,
    }
    kept = [rule for rule in rules if rule.get("ID") != RULE]
    if wanted in rules and len(kept) == len(rules) - 1:
        return True
    try:
        with translated("let pages speak with the bucket"):
            client.put_bucket_cors(Bucket=settings.S3_BUCKET, CORSConfiguration={"CORSRules": [*kept, wanted]})
    except StorageUnavailable as error:
        if error.code in _UNABLE:
            return False
        raise
    return True


def _rules(client: Any) -> list[dict[str, Any]]:
    try:
        with translated("read the bucket's rules"):
            rules: list[dict[str, Any]] = client.get_bucket_cors(Bucket=settings.S3_BUCKET)["CORSRules"]
            return rules
    except StorageUnavailable as error:
        if error.code in _UNABLE or error.code == "NoSuchCORSConfiguration":
            return []
        raise


def refused_pages() -> list[str]:
    """What a browser would be refused, as `METHOD from ORIGIN`; empty when it may do all. Asks S3's public address.

    Raises StorageUnavailable when that does not answer.
    """
    return [
        f"{method} from {origin}"
        for origin in page_origins()
        for method in ("POST", "PUT", "GET")
        if not _may(origin, method)
    ]


def remedy() -> str:
    """What an operator does where pages are refused."""
    return (
        f"Run `manage.py storage bootstrap` with S3_ADMIN_ACCESS_KEY_ID set to an identity that may change the bucket "
        f"(s3:PutBucketCORS), or set the bucket's CORS by other means: origins {', '.join(page_origins())}, "
        f"methods {', '.join(METHODS)}, all headers, ETag exposed. PUBLIC_URL must be the address that people open."
    )


def _may(origin: str, method: str) -> bool:
    """The preflight request of a browser that stands on a page of `origin`."""
    base = urlsplit(service_client("s3", settings.S3_PUBLIC_URL).meta.endpoint_url)
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }
    # Of a key rather than the bucket: SeaweedFS answers for the bucket alone whoever asks.
    path = f"{base.path.rstrip('/')}/{settings.S3_BUCKET}/t/none/incoming/none"
    try:
        with translated("ask as a browser"), contextlib.closing(_connection(base.scheme, base.netloc)) as connection:
            connection.request("OPTIONS", path, headers=asked)
            answer = connection.getresponse()
            answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise StorageUnavailable(f"could not ask as a browser: {type(error).__name__}") from error
    allowed = {word.strip() for word in (answer.getheader("Access-Control-Allow-Methods") or "").split(",")}
    return (
        answer.status in (200, 204)
        and answer.getheader("Access-Control-Allow-Origin") in (origin, "*")
        and bool(allowed & {method, "*"})
    )


def _connection(scheme: str, netloc: str) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(netloc, timeout=5, context=ssl.create_default_context())
    return http.client.HTTPConnection(netloc, timeout=5)
