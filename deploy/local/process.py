"""One part of the stack: a child process in a session of its own, whose output goes to a log file.

A file rather than a pipe: nothing blocks when nobody reads, the last lines are still there after a crash, and
the same code serves the supervisor and test fixtures.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

CHILD = Path(__file__).with_name("child.py")
# Bytes at the end of a log that are searched for its last lines.
TAIL_BYTES = 64 * 1024


class PartFailed(Exception):
    """A part of the stack did not start, or ended. The message names it and shows its last lines."""

    def __init__(self, part: str, reason: str, lines: Sequence[str] = ()) -> None:
        shown = "".join(f"\n  {part} | {line}" for line in lines)
        super().__init__(f"{part} {reason}" + (f"; its last lines:{shown}" if lines else ""))
        self.part = part


@dataclass(frozen=True)
class Command:
    """What to run. `env` is the whole environment of the process, nothing is inherited.

    `stop_signal` asks for an orderly end; `death_signal` is what the kernel sends when the supervisor dies.
    `user` is an account to change to, when running as root; `nice` is how far to step behind the others.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    user: str = ""
    nice: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL


class Process:
    """A named child. Start it from the main thread: the kernel's death signal follows the starting thread."""

    def __init__(self, name: str, command: Command, *, log: Path) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._pid_file = log.with_suffix(".pid")

    @property
    def pid(self) -> int | None:
        return self.popen.pid if self.popen else None

    @property
    def returncode(self) -> int | None:
        """None while it runs, and before it was started."""
        return self.popen.poll() if self.popen else None

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def start(self) -> None:
        """Returns at once, and raises nothing of what the command does wrong (see `alive`, `last_lines`)."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._end_leftover()
        command = self.command
        guard = [
            sys.executable,
            "-I",
            "-S",
            str(CHILD),
            str(os.getpid()),
            str(int(command.death_signal)),
            command.user,
            str(command.nice),
        ]
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self.popen = subprocess.Popen(
                [*guard, *command.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(command.env),
                cwd=command.folder,
                start_new_session=True,  # a Ctrl-C reaches the supervisor alone, which keeps the order
                umask=0o077,
            )
        created = psutil.Process(self.popen.pid).create_time()
        self._pid_file.write_text(f"{self.popen.pid} {created}\n", encoding="ascii")

    def ask_to_stop(self) -> None:
        if self.alive and self.popen:
            self.popen.send_signal(self.command.stop_signal)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within `seconds`. Takes care of its pid file when it did."""
        if self.popen is None:
            return True
        try:
            self.popen.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        self._pid_file.unlink(missing_ok=True)
        return True

    def kill(self) -> None:
        """Ends it and everything it started in its session, at once."""
        if self.popen is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.wait(5)

    def stop(self, grace: float) -> None:
        """Asks, waits `grace` seconds, then kills."""
        self.ask_to_stop()
        self.wait(grace)
        self.kill()

    def last_lines(self, count: int = 20) -> list[str]:
        """The end of what it wrote since its last start."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_start, size - TAIL_BYTES))
                return file.read().decode("utf-8", "replace").splitlines()[-count:]
        except FileNotFoundError:
            return []

    def failure(self, reason: str) -> PartFailed:
        return PartFailed(self.name, reason, self.last_lines())

    def _end_leftover(self) -> None:
        """Ends what an earlier supervisor left on the same data, should the kernel not have done so yet."""
        try:
            pid, created = self._pid_file.read_text(encoding="ascii").split()
            leftover = psutil.Process(int(pid))
            if abs(leftover.create_time() - float(created)) > 1:
                return  # the number belongs to another process by now
            leftover.send_signal(self.command.stop_signal)
            _, stubborn = psutil.wait_procs([leftover], timeout=10)
            for process in stubborn:
                process.kill()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return


def wait_until_answers(
    process: Process,
    answers: Callable[[], bool],
    *,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Polls `answers` until it is true. Raises PartFailed when the process ends first, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.returncode is not None:
            raise process.failure(f"ended with exit code {process.returncode} before it answered")
        if time.monotonic() > deadline:
            raise process.failure(f"did not answer within {seconds:.0f} s")
        pause(0.02)
