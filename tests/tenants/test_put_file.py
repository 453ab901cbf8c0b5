"""Files that the server itself puts into S3: whole, in parts where they are large, or not at all."""

import uuid
from pathlib import Path

import pytest

from tenants import storage as door
from tenants.storage import StorageUnavailable, TenantStorage

# S3's least.
PART = 5 * 1024 * 1024
TEXT = "text/plain"


@pytest.fixture
def storage(stack: object, monkeypatch: pytest.MonkeyPatch) -> TenantStorage:
    monkeypatch.setattr(door, "PART_BYTES", PART)
    return TenantStorage(uuid.uuid4())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize("size", [0, 10, PART, PART + 1, 2 * PART + 7])
def test_a_file_arrives_whole(storage: TenantStorage, file: Path, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    file.write_bytes(data[:size])
    storage.put_file("archives/a", file, content_type=TEXT)
    assert storage.read("archives/a", max_bytes=size) == data[:size]


def test_a_file_replaces_another(storage: TenantStorage, file: Path) -> None:
    for data in (b"a" * (PART + 1), b"b", b"c" * (PART + 2)):
        file.write_bytes(data)
        storage.put_file("archives/a", file, content_type=TEXT)
        assert storage.read("archives/a", max_bytes=len(data)) == data


def test_what_is_broken_off_leaves_nothing(storage: TenantStorage, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"a" * (PART + 1))
    put, aborted = TenantStorage._put_part, []

    def second_fails(self: TenantStorage, key: str, upload_id: str, *, number: int, data: bytes) -> tuple[int, str]:
        if number == 2:
            raise StorageUnavailable("S3 is away")
        aborted.append(upload_id)
        return put(self, key, upload_id, number=number, data=data)

    monkeypatch.setattr(TenantStorage, "_put_part", second_fails)
    with pytest.raises(StorageUnavailable):
        storage.put_file("archives/a", file, content_type=TEXT)

    assert storage.sizes("archives", names=["a"]) == {}
    with pytest.raises(door.ObjectMissing):
        storage.uploaded_parts("archives/a", upload_id=aborted[0])
