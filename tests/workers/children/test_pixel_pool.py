"""Pictures of many tenants through children that stay: each its own tenant's, none another's."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image, ImageOps

from projects.domain.decoding import PixelsRefused, PixelsUnavailable
from tests.workers.children import corpus
from tests.workers.children.corpus import encoded, photo
from tests.workers.children.test_decode_isolation import FRAGILE, decode_children
from workers.children import child_pool, pixel_pool
from workers.children.child_pool import ChildPool
from workers.children.pixel_pool import SERVING_LIMITS, PixelPool
from workers.children.process import ChildProcess, Patience

JPEG = encoded(photo(640, 480), "JPEG")
ACME, BOLT, COGS = (uuid.uuid4() for _ in range(3))


@pytest.fixture
def pool() -> Iterator[PixelPool]:
    yield from _pool(PixelPool(max_children=2))


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> Iterator[PixelPool]:
    monkeypatch.setattr(pixel_pool, "PATIENCE", Patience(computing=0.5, idle=1, overall=60))
    yield from _pool(PixelPool(max_children=2, program=FRAGILE))


def _pool(pool: PixelPool) -> Iterator[PixelPool]:
    yield pool
    pool.close()
    assert decode_children() == []


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[uuid.UUID]]:
    """Whose pictures each child was lent for, by process id."""
    seen: dict[int, list[uuid.UUID]] = {}
    take = ChildPool._take

    def note(pool: ChildPool, owner: uuid.UUID) -> Any:
        seat = take(pool, owner)
        seen.setdefault(seat.child.pid, []).append(owner)
        return seat

    monkeypatch.setattr(ChildPool, "_take", note)
    return seen


def until(is_so: Any) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def by_pillow(data: bytes) -> Any:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def test_pixels_are_upright_and_of_any_type(pool: PixelPool) -> None:
    files = {
        "image/jpeg": encoded(photo(), "JPEG", exif=corpus.exif(6)),
        "image/png": encoded(photo(mode="L"), "PNG"),
        "image/bmp": encoded(photo(), "BMP"),
        "image/tiff": encoded(photo(), "TIFF"),
        "image/webp": encoded(photo(), "WEBP", lossless=True),
    }
    for kind, data in files.items():
        for declared in (kind, None):
            pixels = pool.decode(ACME, data, declared)
            assert pixels.dtype == np.uint8
            assert pixels.flags.writeable
            np.testing.assert_array_equal(pixels, by_pillow(data))


REFUSED: list[tuple[bytes, str | None, str]] = [
    (b"", None, "empty_file"),
    (b"hello", None, "not_an_image"),
    (corpus.zip_file(), "image/jpeg", "not_an_image"),
    (JPEG[:-40], None, "truncated"),
    (JPEG, "image/png", "type_mismatch"),
    (corpus.png_bomb(10_000, 10_000), None, "too_many_pixels"),
    (corpus.jpeg_with_size(10_000, 10_000), "image/jpeg", "too_many_pixels"),
    (corpus.several("TIFF"), None, "animated"),
    (corpus.png_sixteen_bit(), None, "sixteen_bit"),
]


def test_what_is_no_picture_is_refused_in_words(pool: PixelPool, served: dict[int, list[uuid.UUID]]) -> None:
    for data, declared, code in REFUSED:
        with pytest.raises(PixelsRefused) as caught:
            pool.decode(ACME, data, declared)
        assert caught.value.code == code
        assert caught.value.message.startswith("The image ")
        assert caught.value.hint.endswith(".")
    assert pool.decode(ACME, JPEG, None).shape == (480, 640, 3)
    assert len(served) == 1, "a refusal costs no child"


def test_a_child_is_one_tenants_for_its_life(pool: PixelPool, served: dict[int, list[uuid.UUID]]) -> None:
    for tenant in (ACME, BOLT, ACME, COGS, BOLT, ACME, COGS, COGS):
        pool.decode(tenant, JPEG, None)
    assert all(len(set(tenants)) == 1 for tenants in served.values())
    # Two at a time: ACME, BOLT, then COGS for BOLT, BOLT for ACME, ACME for COGS, COGS for BOLT.
    assert list(served.values()) == [
        [ACME, ACME], [BOLT], [COGS], [BOLT], [ACME], [COGS, COGS],
    ]  # fmt: skip
    until(lambda: len(decode_children()) == 3)


def test_a_new_tenant_finds_a_child_ready(pool: PixelPool) -> None:
    pool.start()
    until(lambda: pool._children._spare is not None)
    (spare,) = decode_children()
    pool.decode(ACME, JPEG, None)
    assert pool._children._seats[ACME].child.pid == spare.pid
    until(lambda: pool._children._spare is not None)
    assert len(decode_children()) == 2


def test_threads_of_many_tenants(pool: PixelPool, served: dict[int, list[uuid.UUID]]) -> None:
    """More tenants at once than there may be children: they wait for one another."""
    expected = by_pillow(JPEG)
    tenants = [uuid.uuid4() for _ in range(4)]
    right: list[bool] = []

    def work(tenant: uuid.UUID) -> None:
        right.extend(np.array_equal(pool.decode(tenant, JPEG, None), expected) for _ in range(4))

    threads = [threading.Thread(target=work, args=(tenant,)) for tenant in tenants for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 32
    assert sum(map(len, served.values())) == 32
    assert all(len(set(owners)) == 1 for owners in served.values())


@pytest.mark.parametrize(
    ("marker", "code", "tries"),
    [
        (b"!!SEGFAULT", "decode_crashed", 2),
        (b"!!!!!RAISE", "decode_crashed", 2),
        (b"!!!!!!!LIE", "decode_crashed", 2),
        (b"!OTHERFILE", "decode_crashed", 2),
        (b"!!!!!HOARD", "decode_memory", 2),
        (b"!!!!!SLEEP", "decode_timeout", 2),
        (b"!!!COMPUTE", "decode_timeout", 1),
    ],
)
def test_what_kills_a_child_costs_that_request(
    fragile: PixelPool, served: dict[int, list[uuid.UUID]], marker: bytes, code: str, tries: int
) -> None:
    fragile.decode(BOLT, JPEG, None)
    with pytest.raises(PixelsRefused) as caught:
        fragile.decode(ACME, JPEG + marker, None)
    assert caught.value.code == code
    assert list(served.values()) == [[BOLT], *[[ACME]] * tries]
    for tenant in (ACME, BOLT):
        assert fragile.decode(tenant, JPEG, None).shape == (480, 640, 3)
    assert next(iter(served.values())) == [BOLT, BOLT], "a neighbour keeps its child"


def test_a_kill_from_outside_costs_nobody_anything(pool: PixelPool) -> None:
    pool.decode(ACME, JPEG, None)
    os.kill(pool._children._seats[ACME].child.pid, signal.SIGKILL)
    assert pool.decode(ACME, JPEG, None).shape == (480, 640, 3)


def test_idle_children_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_pool, "_IDLE_SECONDS", 0.2)
    pool = PixelPool()
    try:
        pool.decode(ACME, JPEG, None)
        pid = pool._children._seats[ACME].child.pid
        until(lambda: not psutil.pid_exists(pid))
        assert pool.decode(ACME, JPEG, None).shape == (480, 640, 3)
    finally:
        pool.close()


def test_it_outlives_the_thread_that_first_used_it(pool: PixelPool) -> None:
    """A child dies with the thread that made it: that one must be the pool's own."""
    thread = threading.Thread(target=pool.decode, args=(ACME, JPEG, None))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert psutil.Process(pool._children._seats[ACME].child.pid).is_running()


def test_children_that_do_not_start_are_our_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_pool, "_PAUSE_SECONDS", 0.1)
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('no such library')")
    pool = PixelPool(program=program)
    try:
        with pytest.raises(PixelsUnavailable, match="no child starts"):
            pool.decode(ACME, JPEG, None)
        program.write_text(f"import runpy; runpy.run_path({str(FRAGILE)!r}, run_name='__main__')")
        time.sleep(0.3)
        until(lambda: pool._children._trouble is None)
        assert pool.decode(ACME, JPEG, None).shape == (480, 640, 3)
    finally:
        pool.close()
    with pytest.raises(PixelsUnavailable, match="closed"):
        pool.decode(ACME, JPEG, None)


def test_all_at_work_for_too_long(fragile: PixelPool, monkeypatch: pytest.MonkeyPatch) -> None:
    with fragile._children.lend(ACME), fragile._children.lend(BOLT):
        monkeypatch.setattr(child_pool, "_WAIT_SECONDS", 0.2)
        for tenant in (ACME, COGS):
            with pytest.raises(PixelsUnavailable, match="at work"):
                fragile.decode(tenant, JPEG, None)


def test_serving_children_are_not_nice() -> None:
    with ChildProcess(pixel_pool.DECODE_PROGRAM, SERVING_LIMITS) as child:
        assert psutil.Process(child.pid).nice() == psutil.Process().nice()
