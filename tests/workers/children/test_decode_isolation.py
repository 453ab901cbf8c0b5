"""Whatever one file does to the child, only that file pays."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from projects.domain.decoding import DecodedImage, DecodeFailure, DecodeRequest, DecodeResult
from tests.workers.children import corpus
from workers.children import decode
from workers.children.decode import LIMITS, DecodeChild
from workers.children.process import ChildLimits, ChildNotStarted, ChildProcess, Patience

PROGRAMS = Path(__file__).with_name("programs")
FRAGILE = PROGRAMS / "fragile_decode.py"
GOOD = corpus.encoded(corpus.photo(), "JPEG")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter limits than five seconds."""
    monkeypatch.setattr(decode, "PATIENCE", Patience(computing=0.5, idle=1, overall=60))


def decode_children() -> list[psutil.Process]:
    """This process's decode children, and none of its others: pytest's PostgreSQL is a child as well."""
    found = []
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "decode" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    yield
    assert decode_children() == []


def batch_with(folder: Path, marker: bytes) -> list[DecodeRequest]:
    files = {"first.jpg": GOOD, "bad.jpg": GOOD + marker, "last.jpg": GOOD}
    return [corpus.request(folder, name, data, "image/jpeg") for name, data in files.items()]


def codes(results: list[DecodeResult]) -> list[str]:
    return [result.code if isinstance(result, DecodeFailure) else "ok" for result in results]


@pytest.mark.parametrize(
    ("marker", "code"),
    [
        (b"!!SEGFAULT", "decode_crashed"),
        (b"!!!COMPUTE", "decode_timeout"),
        (b"!!!!!SLEEP", "decode_timeout"),
        (b"!!!!!HOARD", "decode_memory"),
        (b"!!!!!!!LIE", "decode_crashed"),
        (b"!OTHERFILE", "decode_crashed"),
        (b"!!!!!RAISE", "decode_crashed"),
    ],
)
def test_only_the_culprit_pays(tmp_path: Path, quick: None, marker: bytes, code: str) -> None:
    results = DecodeChild(program=FRAGILE).decode(batch_with(tmp_path, marker))
    assert codes(results) == ["ok", code, "ok"]
    assert sorted(path.name[:5] for path in (tmp_path / "out").iterdir()) == ["first", "first", "last_", "last_"]


def test_file_that_fails_only_after_others_is_acquitted(tmp_path: Path) -> None:
    """What an earlier file left behind in the child must not condemn a later one."""
    assert codes(DecodeChild(program=FRAGILE).decode(batch_with(tmp_path, b"!SECONDSEG"))) == ["ok", "ok", "ok"]


def test_computing_file_is_condemned_without_second_try(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = corpus.request(tmp_path, "bad.jpg", GOOD + b"!!!COMPUTE", "image/jpeg")
    starts: list[Path] = []

    def start(program: Path, limits: ChildLimits) -> ChildProcess:
        starts.append(program)
        return ChildProcess(program, limits)

    monkeypatch.setattr(decode, "ChildProcess", start)
    assert codes(DecodeChild(program=FRAGILE).decode([request])) == ["decode_timeout"]
    assert len(starts) == 1


def test_kill_from_outside_condemns_nobody(tmp_path: Path) -> None:
    batch = [corpus.request(tmp_path, f"{number}.jpg", GOOD, "image/jpeg") for number in range(6)]

    def kill_the_child(result: DecodeResult) -> None:
        if result.key in {"1_jpg", "3_jpg"}:
            for process in decode_children():
                process.send_signal(signal.SIGKILL)

    assert codes(DecodeChild().decode(batch, on_result=kill_the_child)) == ["ok"] * 6


def test_stopped_child_is_replaced(tmp_path: Path, quick: None) -> None:
    """A child that hangs through no fault of the file (stopped from outside) costs a second try."""
    batch = [corpus.request(tmp_path, f"{number}.jpg", GOOD, "image/jpeg") for number in range(2)]

    def stop_the_child(result: DecodeResult) -> None:
        if result.key == "0_jpg":
            for process in decode_children():
                process.send_signal(signal.SIGSTOP)

    assert codes(DecodeChild().decode(batch, on_result=stop_the_child)) == ["ok", "ok"]


def test_resident_memory_is_polled(tmp_path: Path) -> None:
    """A limit that the kernel does not enforce: the parent sees it within its polling interval."""
    request = corpus.request(tmp_path, "a.jpg", GOOD, "image/jpeg")
    tight = dataclasses.replace(LIMITS, resident=1 << 20)
    with pytest.raises(ChildNotStarted):
        DecodeChild(limits=tight).decode([request])


def test_each_call_has_a_child_of_its_own(tmp_path: Path) -> None:
    """Two tenants' files never meet in one child."""
    seen: list[int] = []

    def note(_: DecodeResult) -> None:
        seen.extend(process.pid for process in decode_children())

    decoder = DecodeChild()
    for name in ("acme.jpg", "bolt.jpg"):
        decoder.decode([corpus.request(tmp_path, name, GOOD, "image/jpeg")], on_result=note)
    assert len(set(seen)) == 2


def test_threads_may_decode_at_once(tmp_path: Path) -> None:
    decoder = DecodeChild()
    results: list[DecodeResult] = []

    def work(number: int) -> None:
        request = corpus.request(tmp_path, f"{number}.jpg", GOOD, "image/jpeg")
        results.extend(decoder.decode([request]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(result) for result in results] == [DecodedImage] * 4


def test_program_that_cannot_start_is_not_the_files_fault(tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('no such library')")
    with pytest.raises(ChildNotStarted) as caught:
        DecodeChild(program=program).decode([corpus.request(tmp_path, "a.jpg", GOOD, "image/jpeg")])
    assert "no such library" in caught.value.evidence


def test_should_stop_leaves_the_rest_untouched(tmp_path: Path) -> None:
    batch = [corpus.request(tmp_path, f"{number}.jpg", GOOD, "image/jpeg") for number in range(5)]
    done: list[DecodeResult] = []
    results = DecodeChild().decode(batch, on_result=done.append, should_stop=lambda: len(done) >= 2)
    assert results == done
    assert len(done) == 2


def test_unfit_batches_are_refused(tmp_path: Path) -> None:
    request = corpus.request(tmp_path, "a.jpg", GOOD, "image/jpeg")
    for batch in ([request] * 2, [request] * 201, [dataclasses.replace(request, key="../a")]):
        with pytest.raises(ValueError, match=r"key|batch"):
            DecodeChild().decode(batch)


def test_missing_and_linked_files_are_our_own_errors(tmp_path: Path) -> None:
    request = corpus.request(tmp_path, "a.jpg", GOOD, "image/jpeg")
    link = tmp_path / "link.jpg"
    link.symlink_to("/etc/passwd")
    for path in (tmp_path / "missing.jpg", link):
        with pytest.raises(OSError, match=r"No such file|symbolic"):
            DecodeChild().decode([dataclasses.replace(request, path=path)])
