"""Looking for a batch among everything that lies in the incoming folder, page by page."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tenants.storage import TenantStorage
from tests.cast import Person


@pytest.fixture
def pages(storage: TenantStorage) -> Iterator[list[str]]:
    """Pages of three objects, as if they were of a thousand; where each listing began."""
    asked: list[str] = []

    def small(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 3
        asked.append(params["StartAfter"].removeprefix(params["Prefix"]))

    events = storage._client.meta.events
    events.register("before-parameter-build.s3.ListObjectsV2", small)
    yield asked
    events.unregister("before-parameter-build.s3.ListObjectsV2", small)


def numbered(number: int) -> str:
    return str(uuid.UUID(int=number << 64 | 7 << 76))


def test_batch_is_found_among_others_in_few_listings(storage: TenantStorage, pages: list[str]) -> None:
    for number in range(1, 31):
        storage.put(f"incoming/{numbered(number)}", bytes(number), content_type="image/png")
    wanted = [1, 2, 3, 4, 14, 29, 30]

    found = storage.sizes("incoming", names=[numbered(number) for number in [*wanted, 99]])

    assert found == {numbered(number): number for number in wanted}
    # 1 to 3, 4 to 6, 14 to 16, 29 and 30 with nothing behind: what lies between is not read.
    assert len(pages) == 4


def test_missing_and_neighbouring_names_are_not_mistaken(
    alice: Person, storage: TenantStorage, pages: list[str]
) -> None:
    name = numbered(5)
    for other in (name[:-1], name + "0", f"{name}/{name}", *(name[:-1] + digit for digit in "123456789abc")):
        storage.put(f"incoming/{other}", b"x", content_type="image/png")

    assert storage.sizes("incoming", names=[name, numbered(4), numbered(6)]) == {}
    assert storage.sizes("incoming", names=[]) == {}
    storage.put(f"incoming/{name}", b"12", content_type="image/png")
    assert storage.sizes("incoming", names=[name, name]) == {name: 2}
