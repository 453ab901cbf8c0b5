"""Children end with their parents, and are watched while they live."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from workers.children.decode import DECODE_PROGRAM, LIMITS, PATIENCE
from workers.children.figures import folder_size
from workers.children.process import ChildDied, ChildProcess, ChildTimedOut, ChildTooLarge, Patience

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(__file__).with_name("programs")


def gone(pid: int, within: float = 5.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_killed_worker_leaves_no_child() -> None:
    """kill -9 of the parent: nothing of it is left to tell the child."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from workers.children.decode import DECODE_PROGRAM, LIMITS\n"
        "from workers.children.process import ChildProcess\n"
        "child = ChildProcess(DECODE_PROGRAM, LIMITS)\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert gone(pid)


def test_child_is_nice_and_leads_its_own_session() -> None:
    with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
        assert psutil.Process(child.pid).nice() >= 10
        assert os.getsid(child.pid) == child.pid
        pid = child.pid
    assert gone(pid)


def test_interrupt_at_the_terminal_is_the_parents_affair() -> None:
    """Ctrl-C reaches the worker's process group; the child's fate is decided by the worker."""
    with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
        assert os.getpgid(child.pid) != os.getpgid(0)


def test_silence_times_out_without_computing() -> None:
    with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
        pid = child.pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ChildTimedOut) as caught:
            child.ask({}, patience=Patience(computing=5, idle=0.2, overall=5))
        assert not caught.value.by_computing
    assert gone(pid)


def test_starved_child_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it computes little, but it does: that is no time-out until the overall limit."""
    with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
        os.kill(child.pid, signal.SIGSTOP)
        start, trickle = time.monotonic(), itertools.count()
        monkeypatch.setattr(child, "cpu_seconds", lambda: next(trickle) * 0.01)
        with pytest.raises(ChildTimedOut) as caught:
            child.ask({}, patience=Patience(computing=5, idle=0.2, overall=0.8))
        assert not caught.value.by_computing
        assert time.monotonic() - start >= 0.8


def test_death_is_noticed_at_once() -> None:
    with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
        threading.Timer(0.1, os.kill, (child.pid, signal.SIGKILL)).start()
        start = time.monotonic()
        with pytest.raises(ChildDied, match="status -9"):
            child.receive()
        assert time.monotonic() - start < 2


def test_evidence_of_a_crash_is_kept_for_operators(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys; sys.path.append({str(ROOT)!r})\n"
        "import os, signal, faulthandler\n"
        "from workers.children import decode_program\n"
        "decode_program.answer = lambda frame: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "decode_program.main()\n"
    )
    with ChildProcess(program, LIMITS) as child, pytest.raises(ChildDied) as caught:
        child.ask({}, patience=PATIENCE)
    assert "Segmentation fault" in caught.value.evidence


def test_scratch_is_watched(tmp_path: Path) -> None:
    limits = dataclasses.replace(LIMITS, scratch=1 << 20)
    with ChildProcess(DECODE_PROGRAM, limits, scratch=tmp_path) as child:
        child.look()
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "file").write_bytes(os.urandom(2 << 20))
        with pytest.raises(ChildTooLarge) as caught:
            child.receive()
        assert caught.value.what == "scratch"


def test_figures_of_a_child() -> None:
    with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
        assert 10 << 20 < child.resident_bytes() <= child.peak_resident_bytes() < 100 << 20
        assert 0 < child.cpu_seconds() < 5
    assert (child.resident_bytes(), child.peak_resident_bytes(), child.cpu_seconds()) == (0, 0, 0)


def test_size_of_a_folder_that_changes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10_000))
    (tmp_path / "link").symlink_to("/")
    assert 10_000 <= folder_size(tmp_path) <= 20_000
    assert folder_size(tmp_path / "missing") == 0


def test_starting_is_cheap_enough_for_a_child_a_batch() -> None:
    """One tenant's batch, one child: that is affordable because a start costs about a tenth of a second."""
    costs = []
    for _ in range(3):
        with ChildProcess(DECODE_PROGRAM, LIMITS) as child:
            costs.append(child.cpu_seconds())
    assert min(costs) < 0.5
