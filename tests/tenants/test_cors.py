"""Pages send files straight to S3: `storage bootstrap` lets ours, `storage check` asks as a browser would."""

import io
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from tenants import cors, s3, storage
from tenants.storage import TenantStorage

PAGES = "https://inspect.example"


@pytest.fixture
def bucket(stack: object, settings: Any) -> Iterator[str]:
    """A bucket of this test's own, and pages at PAGES."""
    settings.S3_BUCKET = f"cors-{uuid.uuid4().hex[:12]}"
    settings.PUBLIC_URL = PAGES + "/"
    storage.bootstrap()
    yield settings.S3_BUCKET
    administrator = s3.administrator_client()
    administrator.delete_bucket(Bucket=settings.S3_BUCKET)


def told(action: str) -> tuple[str, str]:
    said, warned = io.StringIO(), io.StringIO()
    call_command("storage", action, stdout=said, stderr=warned)
    return said.getvalue(), warned.getvalue()


def rules(bucket: str) -> list[dict[str, Any]]:
    found: list[Any] = s3.administrator_client().get_bucket_cors(Bucket=bucket)["CORSRules"]
    return found


def preflight(url: str, *, origin: str, method: str) -> httpx.Response:
    return httpx.options(url, headers={"Origin": origin, "Access-Control-Request-Method": method})


def test_bootstrap_lets_our_pages_and_no_others(bucket: str, settings: Any) -> None:
    assert told("bootstrap") == ("The bucket is in place.\n", "")
    assert told("check") == (f"S3 answers, and takes files from pages of {PAGES}.\n", "")

    address = f"{settings.S3_PUBLIC_URL}/{bucket}/t/{uuid.uuid4()}/incoming/{uuid.uuid4()}"
    for method in ("POST", "PUT", "GET"):
        ours, others = (preflight(address, origin=origin, method=method) for origin in (PAGES, "https://evil.example"))
        assert ours.headers["Access-Control-Allow-Origin"] == PAGES
        assert "ETag" in ours.headers["Access-Control-Expose-Headers"]
        assert others.status_code == 403
        assert "Access-Control-Allow-Origin" not in others.headers


def test_a_form_sent_by_a_page_is_taken_and_its_receipt_can_be_read(stack: object, settings: Any) -> None:
    """In the bucket of the stack, since forms are signed by an identity that may write to that one alone."""
    settings.PUBLIC_URL = PAGES
    cors.allow_pages()
    sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    form = TenantStorage(uuid.uuid4()).presign_upload("incoming/a", size=1, content_type="text/plain", sha256=sha256)
    sent = httpx.post(form.url, data=form.fields, files={"file": b"x"}, headers={"Origin": PAGES})

    assert sent.status_code == 204, sent.text
    assert sent.headers["Access-Control-Allow-Origin"] == PAGES
    assert "ETag" in sent.headers["Access-Control-Expose-Headers"]


def test_bootstrap_again_changes_nothing_and_a_new_address_replaces_the_old_one(bucket: str, settings: Any) -> None:
    told("bootstrap")
    first = rules(bucket)
    told("bootstrap")
    assert rules(bucket) == first
    settings.PUBLIC_URL = "https://elsewhere.example"
    told("bootstrap")

    assert [rule["AllowedOrigins"] for rule in rules(bucket)] == [["https://elsewhere.example"]]


def test_rules_of_others_stay(bucket: str) -> None:
    theirs: Any = {"ID": "theirs", "AllowedOrigins": ["https://theirs.example"], "AllowedMethods": ["GET"]}
    s3.administrator_client().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [theirs]})
    told("bootstrap")

    assert [rule["ID"] for rule in rules(bucket)] == ["theirs", cors.RULE]
    assert rules(bucket)[0]["AllowedOrigins"] == ["https://theirs.example"]


def test_check_names_what_is_refused_and_the_remedy(bucket: str, settings: Any) -> None:
    told("bootstrap")
    settings.PUBLIC_URL = "https://elsewhere.example"

    with pytest.raises(CommandError, match=r"POST from https://elsewhere\.example.*storage bootstrap.*PutBucketCORS"):
        told("check")


def test_bootstrap_without_the_right_says_so_and_goes_on(bucket: str, settings: Any, monkeypatch: Any) -> None:
    """The service's own identity may not change the bucket."""
    service = s3.service_client("s3", settings.S3_ENDPOINT_URL)
    monkeypatch.setattr(cors, "administrator_client", lambda: service)
    said, warned = told("bootstrap")

    assert said == "The bucket is in place.\n"
    assert "took no CORS rule" in warned
    assert PAGES in warned


def test_check_tells_when_s3_is_away(stack: object, settings: Any) -> None:
    settings.S3_PUBLIC_URL = "http://127.0.0.1:9"

    with pytest.raises(CommandError, match="S3: could not ask as a browser: ConnectionRefusedError"):
        told("check")


@pytest.mark.parametrize(
    ("address", "origins"),
    [
        ("https://inspect.example/", ["https://inspect.example"]),
        ("https://inspect.example:443", ["https://inspect.example"]),
        ("http://inspect.example:8080/x", ["http://inspect.example:8080"]),
        ("http://[2001:db8::1]:8000", ["http://[2001:db8::1]:8000"]),
        ("http://localhost:8000", ["http://127.0.0.1:8000", "http://localhost:8000"]),
    ],
    ids=["plain", "usual-port", "own-port", "ipv6", "loopback"],
)
def test_origins_are_written_as_browsers_write_them(address: str, origins: list[str], settings: Any) -> None:
    settings.PUBLIC_URL = address
    assert cors.page_origins() == origins
