"""Scratch folders: gone with the job, and swept after a worker that died with one."""

import subprocess
import sys
import uuid
from pathlib import Path

from workers.domain.scratch import Scratch

WORKER = """
import sys, uuid
from workers.domain.scratch import Scratch
with Scratch().job_folder(uuid.uuid4()) as folder:
    (folder / "secret").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def _worker() -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_worker_left_is_swept_and_a_living_ones_is_not() -> None:
    dead, left = _worker()
    dead.kill()
    dead.communicate()
    living, kept = _worker()
    try:
        assert (left / "secret").exists()
        ours = Scratch()
        with ours.job_folder(uuid.uuid4()) as own:
            assert ours.sweep() == 1
            assert own.is_dir()
        ours.remove()
        assert (kept / "secret").exists()
        assert not left.parent.exists()
    finally:
        living.communicate()
    assert not kept.exists(), "an orderly end leaves nothing of a job"


def test_a_removal_that_was_broken_off_is_finished(tmp_path: Path) -> None:
    half = tmp_path / "scratch" / "myriad-worker-half"
    (half / "job-x").mkdir(parents=True)

    assert Scratch().sweep() == 1
    assert not half.exists()


def test_links_are_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "myriad-worker-link").symlink_to(elsewhere)

    assert Scratch().sweep() == 0
    assert elsewhere.is_dir()


def test_the_process_folder_goes_at_the_end(tmp_path: Path) -> None:
    ours = Scratch()
    with ours.job_folder(uuid.uuid4()):
        pass
    assert len(list((tmp_path / "scratch").iterdir())) == 1

    ours.remove()
    ours.remove()

    assert list((tmp_path / "scratch").iterdir()) == []
