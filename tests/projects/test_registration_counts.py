"""Quota and counters of images are exact: at the limit, in mid-batch, and from eight threads at once."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection
from django.db.models import Sum

from projects.models import Image
from tenants.scope import tenant_scope
from tests.cast import Person
from tests.projects.conftest import project_of
from tests.projects.files import described
from tests.projects.uploading import post, usage


def register(person: Person, project: str, *files: Any) -> list[tuple[str, str | None]]:
    """Status and error code of each file."""
    answer = post(person, f"projects/{project}/images/register", {"files": list(files)})
    assert answer.status_code == 200, answer.content
    return [(line["status"], line.get("error", {}).get("code")) for line in answer.json()["results"]]


OVER = ("REJECTED", "quota_exceeded")
TAKEN = ("AWAITING", None)


def test_quota_of_images_reached_in_mid_batch(alice: Person, project: str, limit: Callable[..., None]) -> None:
    limit(images_limit=3)
    bad = described(9, size=0)

    lines = register(alice, project, described(0), bad, described(0), described(1), described(2), described(3), bad)

    assert lines == [TAKEN, ("REJECTED", "empty_file"), TAKEN, TAKEN, TAKEN, OVER, ("REJECTED", "empty_file")]
    assert usage(alice)["images"] == 3
    assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 3
    # What is there already needs no quota.
    assert register(alice, project, described(3), described(2)) == [OVER, TAKEN]
    image = alice.api.get(f"/api/v1/projects/{project}/images").json()["results"][0]["id"]
    alice.api.delete(f"/api/v1/images/{image}")
    assert register(alice, project, described(3), described(4)) == [TAKEN, OVER]
    assert usage(alice) == {"images": 3, "bytes": 3000, "projects": 1}


def test_quota_of_bytes_lets_a_smaller_file_pass(alice: Person, project: str, limit: Callable[..., None]) -> None:
    limit(bytes_limit=2500)

    lines = register(alice, project, described(0, size=2000), described(1, size=501), described(2, size=500))

    assert lines == [TAKEN, OVER, TAKEN]
    assert usage(alice) == {"images": 2, "bytes": 2500, "projects": 1}
    # Nor does a corrected size pass the limit; a smaller one gives back.
    assert register(alice, project, described(2, size=501)) == [OVER]
    assert register(alice, project, described(2, size=100), described(1, size=400)) == [TAKEN, TAKEN]
    assert usage(alice) == {"images": 3, "bytes": 2500, "projects": 1}


def test_message_of_the_quota_names_file_limit_and_remedy(
    alice: Person, project: str, limit: Callable[..., None]
) -> None:
    limit(images_limit=0)
    answer = post(alice, f"projects/{project}/uploads", {"files": [described(0)]}).json()["results"][0]

    assert answer["error"]["message"] == "0.jpg: the quota of 0 images is reached."
    assert answer["error"]["hint"]
    assert "upload" not in answer


def test_eight_threads_register_each_hash_once(alice: Person, project: str) -> None:
    """Overlapping batches into two projects, from eight connections: no hash twice, no count lost."""
    projects = [project, project_of(alice, "Lids")]

    def batches(seed: int) -> list[tuple[str, str | None]]:
        draw = random.Random(seed)
        try:
            return [
                line
                for _ in range(3)
                for line in register(alice, draw.choice(projects), *map(described, draw.sample(range(40), 25)))
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answered = [line for lines in pool.map(batches, range(8)) for line in lines]

    assert set(answered) == {TAKEN}
    with tenant_scope(alice.tenant.id):
        hashes = list(Image.objects.values_list("project_id", "sha256"))
        size = Image.objects.aggregate(total=Sum("size"))["total"]
    assert len(hashes) == len(set(hashes)) == 80
    assert usage(alice) == {"images": 80, "bytes": size, "projects": 2}
    shown = [alice.api.get(f"/api/v1/projects/{id_}").json()["image_count"] for id_ in projects]
    assert shown == [40, 40]


def test_counts_stay_exact_while_some_register_and_others_delete(alice: Person, project: str) -> None:
    def register_some(start: int) -> None:
        try:
            for number in range(start, start + 40, 10):
                register(alice, project, *map(described, range(number, number + 10)))
        finally:
            connection.close()

    def delete_some(_: int) -> int:
        try:
            images = alice.api.get(f"/api/v1/projects/{project}/images?limit=15").json()["results"]
            answers = [alice.api.delete(f"/api/v1/images/{image['id']}").status_code for image in images]
            assert set(answers) <= {204, 404}
            return answers.count(204)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        registering = [pool.submit(register_some, start) for start in (0, 100)]
        deleted = sum(pool.map(delete_some, range(2)))
        for done in registering:
            done.result()

    assert usage(alice) == {"images": 80 - deleted, "bytes": (80 - deleted) * 1000, "projects": 1}
    assert alice.api.get(f"/api/v1/projects/{project}").json()["image_count"] == 80 - deleted
    assert len(alice.api.get(f"/api/v1/projects/{project}/images?limit=500").json()["results"]) == 80 - deleted
