"""A customer over HTTP, and the books that must balance when it is over."""

import hashlib
import io
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Self

import boto3
import httpx

from deploy.demo.casings import generate
from tests.chaos.ground import Ground, TenantKey, until

# It tells of every request; a failed test is to show what the parts said.
logging.getLogger("httpx").setLevel(logging.WARNING)

PHOTOGRAPHS = 60
# Images whose ingest is asked for at a time.
BATCH = 30


def photographs(*, enlarged: int = 1) -> list[bytes]:
    """Small ones, since what matters is how many there are; `enlarged` so many times to keep a decoder busy."""
    made = []
    for index in range(PHOTOGRAPHS):
        image = generate(seed=7, index=index, size=(256, 192)).image
        buffer = io.BytesIO()
        image.resize((256 * enlarged, 192 * enlarged)).save(buffer, format="JPEG", quality=92)
        made.append(buffer.getvalue())
    return made


class Customer:
    """Uploads a project's photographs and asks for their ingest."""

    def __init__(self, ground: Ground, tenant: TenantKey) -> None:
        self.ground = ground
        self.tenant = tenant
        headers = {"Authorization": f"Bearer {tenant.key}"}
        self._project, self._images = "", [""]
        self._api = httpx.Client(base_url=f"{ground.url}/api/v1", headers=headers, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._api.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        answer = self._api.get(path)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def upload(self, files: Sequence[bytes]) -> None:
        """Sends the files and asks for the ingest of all."""
        self.send(files)
        for batch in range(len(files) // BATCH):
            self.complete(batch)

    def complete(self, batch: int) -> None:
        """Asks for the ingest of one batch."""
        images = self._images[batch * BATCH : (batch + 1) * BATCH]
        self.post(f"/projects/{self._project}/uploads/complete", {"images": images})

    def send(self, files: Sequence[bytes]) -> None:
        self._project = self.post("/projects", {"name": "Casings", "kind": "DETECTION"})["id"]
        described = [
            {
                "filename": f"casing-{number}.jpg",
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "content_type": "image/jpeg",
            }
            for number, data in enumerate(files)
        ]
        results = self.post(f"/projects/{self._project}/uploads", {"files": described})["results"]
        with ThreadPoolExecutor(4) as pool, httpx.Client(timeout=60) as storage:

            def send(number: int) -> None:
                form = results[number]["upload"]
                answer = storage.post(form["url"], data=form["fields"], files={"file": files[number]})
                assert answer.is_success, answer.text

            list(pool.map(send, range(len(files))))
        self._images = [result["image"] for result in results]

    def states(self) -> dict[str, int]:
        """How many images are in which state."""
        sql = "SELECT status, count(*) FROM projects_image WHERE tenant_id = %s GROUP BY 1"
        return dict(self.ground.query(sql, self.tenant.id))

    def ready(self) -> int:
        return self.states().get("READY", 0)

    def job_states(self) -> list[tuple[str, int]]:
        """State and attempts of each job, oldest first."""
        sql = "SELECT state, attempts FROM tenants_job WHERE tenant_id = %s ORDER BY id"
        return list(self.ground.query(sql, self.tenant.id))

    def all_done(self) -> bool:
        return all(state not in ("PENDING", "DISPATCHED", "RUNNING") for state, _ in self.job_states())

    def assert_books_balance(self, files: Sequence[bytes]) -> None:
        """Every image ready, once, with its objects; nothing left over; every counter exact."""
        tenant, query = self.tenant.id, self.ground.query
        until(self.all_done)
        assert {state for state, _ in self.job_states()} == {"SUCCEEDED"}
        assert self.states() == {"READY": len(files)}
        stored, thumbnails = zip(
            *query("SELECT stored_sha256, thumbnail_sha256 FROM projects_image WHERE tenant_id = %s", tenant),
            strict=True,
        )
        assert len(set(stored)) == len(files)
        assert self._objects() == {f"images/{one}" for one in stored} | {f"thumbnails/{one}" for one in thumbnails}
        sql = "SELECT images_used, bytes_used FROM tenants_quota WHERE tenant_id = %s"
        assert query(sql, tenant) == [(len(files), sum(map(len, files)))]
        assert query("SELECT image_count FROM projects_project WHERE tenant_id = %s", tenant) == [(len(files),)]
        sql = "SELECT waiting, running FROM tenants_tenantqueue WHERE tenant_id = %s"
        assert query(sql, tenant) == [(0, 0)]

    def _objects(self) -> set[str]:
        """Keys under the tenant's prefix, `incoming/` among them."""
        env, prefix = self.ground.env, f"t/{self.tenant.id}/"
        s3 = boto3.client(
            "s3",
            endpoint_url=env["S3_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["S3_ADMIN_ACCESS_KEY_ID"],
            aws_secret_access_key=env["S3_ADMIN_SECRET_ACCESS_KEY"],
        )
        with closing(s3):
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=env["S3_BUCKET"], Prefix=prefix)
            return {entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", [])}
