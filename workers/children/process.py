"""The parent's side of a child program: start it by exec with an explicit environment, talk, watch, end it.

The child inherits nothing but one socket: no descriptor, no environment variable, no terminal, no argument
with a secret in it. While the parent waits it looks at the child's memory and at its scratch folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from workers.children.frames import BadFrame, Buffer, Channel, Frame
from workers.children.sandbox import Confinement
from workers.children.seccomp import Policy

log = logging.getLogger(__name__)

ALLOW_UNSANDBOXED: Final = "MYRIAD_ALLOW_UNSANDBOXED"

#: MALLOC_*: freed pixels go back to the kernel at once (large blocks are mapped one by one) and threads do
#: not each reserve 64 MB of address space, so that the memory limit measures pictures, not the allocator's
#: habits.
_ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}

#: Of the parent's variables, those without which some machines' libraries are not found; no secret is among them.
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")

_START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05
_STDERR_TAIL: Final = 4000


class ChildError(Exception):
    """A child program failed. ``evidence`` is for operators: the end of its standard error."""

    def __init__(self, message: str, *, evidence: str = "") -> None:
        super().__init__(message)
        self.evidence = evidence


class ChildNotStarted(ChildError):
    """The program could not be started or confined: the machine is at fault, not what it was to work on."""


class ChildDied(ChildError):
    """The program ended, or spoke nonsense and was ended, while an answer was due."""


class ChildTimedOut(ChildError):
    """No answer in time. ``by_computing`` says that it used up its processor time, not only waited for it."""

    def __init__(self, message: str, *, by_computing: bool, evidence: str = "") -> None:
        super().__init__(message, evidence=evidence)
        self.by_computing = by_computing


class ChildTooLarge(ChildError):
    """Its memory (``what`` is "memory") or its scratch folder ("scratch") grew over the limit."""

    def __init__(self, message: str, *, what: str, evidence: str = "") -> None:
        super().__init__(message, evidence=evidence)
        self.what = what


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """Limits of one child program, in bytes and counts; see ``Confinement`` for those the child sets itself.

    ``resident`` is polled by the parent, as is ``scratch``, the size of the scratch folder where there is
    one.
    """

    policy: Policy
    address_space: int | None
    resident: int
    file_size: int
    open_files: int
    scratch: int = 0
    max_payload: int = 0
    niceness: int = 0


class ChildProcess:
    """One running child program.

    It dies with the *thread* that made it (that is how Linux's parent-death signal works): make it in a
    thread that outlives it. ``send`` and ``receive`` may be used by two threads, not more.
    """

    def __init__(
        self,
        program: Path,
        limits: ChildLimits,
        *,
        scratch: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """Start ``program``, passing its confinement and ``arguments``; raises ``ChildNotStarted``."""
        self._limits = limits
        self._scratch = scratch
        self._looked_at = 0.0
        self._ending = threading.Lock()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process: subprocess.Popen[bytes] | None = None
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours, max_payload=limits.max_payload, interval=_POLL_SECONDS)
        try:
            with theirs:
                self._process = self._spawn(program, theirs.fileno(), arguments)
            self.greeting = self._await_greeting()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The child's process id; 0 before it has one."""
        return self._process.pid if self._process is not None else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ask(
        self,
        header: dict[str, Any],
        *,
        fds: Sequence[int] = (),
        seconds: float,
        cpu_seconds: float,
    ) -> Frame:
        """Send one request and return its answer.

        Raises ``ChildTimedOut`` after ``seconds`` of waiting or ``cpu_seconds`` of the child's processor
        time, ``ChildTooLarge`` and ``ChildDied``; after any of them the child is dead.
        """
        watch = _Deadline(self, seconds, cpu_seconds)
        self.send(header, fds=fds, watch=watch)
        return self.receive(watch=watch)

    def send(
        self,
        header: dict[str, Any],
        *,
        buffers: Sequence[Buffer] = (),
        fds: Sequence[int] = (),
        watch: Callable[[], None] | None = None,
    ) -> None:
        """Send one frame; raises like ``ask``."""
        try:
            self._channel.send(header, buffers=buffers, fds=fds, tick=watch or self.look)
        except OSError as error:
            raise self._obituary() from error

    def receive(self, *, watch: Callable[[], None] | None = None) -> Frame:
        """Wait for the next frame; raises like ``ask``."""
        try:
            frame = self._channel.receive(tick=watch or self.look)
        except (OSError, BadFrame) as error:
            raise self._obituary() from error
        if frame is None:
            raise self._obituary()
        return frame

    def look(self) -> None:
        """Kill and raise ``ChildTooLarge`` if memory or scratch is over the limit; looks every 50 ms."""
        now = time.monotonic()
        if now - self._looked_at < _POLL_SECONDS:
            return
        self._looked_at = now
        resident = self.resident_bytes()
        if resident > self._limits.resident:
            raise ChildTooLarge(
                f"{resident} bytes of memory, {self._limits.resident} allowed",
                what="memory",
                evidence=self.kill(),
            )
        if self._scratch is not None and (size := folder_size(self._scratch)) > self._limits.scratch:
            raise ChildTooLarge(
                f"{size} bytes of scratch, {self._limits.scratch} allowed",
                what="scratch",
                evidence=self.kill(),
            )

    def resident_bytes(self) -> int:
        """Bytes of memory in use now; 0 once it is gone or where there is no /proc."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def peak_resident_bytes(self) -> int:
        """The most memory it has had in use, in bytes; 0 once it is gone."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self) -> float:
        """Processor time it has used, all threads, in seconds; 0 once it is gone."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> str:
        """End the child now, if it has not ended, and return the end of its standard error."""
        with self._ending:
            self._channel.close()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
            if self._stderr.closed:
                return ""
            with self._stderr as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _STDERR_TAIL))
                return file.read().decode(errors="replace").strip()

    def _spawn(self, program: Path, fd: int, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        confinement = Confinement(
            parent=os.getpid(),
            socket=fd,
            policy=self._limits.policy,
            address_space=self._limits.address_space,
            file_size=self._limits.file_size,
            open_files=self._limits.open_files,
            niceness=self._limits.niceness,
            allow_unsandboxed=os.environ.get(ALLOW_UNSANDBOXED) == "1",
        )
        command = [sys.executable, "-I", "-X", "utf8", str(program), confinement.as_argument(), *arguments]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                env=_ENVIRONMENT | {name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                cwd="/",
                pass_fds=[fd],
                start_new_session=True,
            )
        except OSError as error:
            raise ChildNotStarted(f"{program.name}: {error}") from error

    def _await_greeting(self) -> dict[str, Any]:
        try:
            frame = self.receive(watch=_Deadline(self, _START_SECONDS, _START_SECONDS))
        except ChildError as error:
            raise ChildNotStarted(f"the program did not start: {error}", evidence=error.evidence) from error
        if not frame.header.get("sandboxed"):
            log.warning("a child program runs without its sandbox: %s", frame.header.get("why"))
        return frame.header

    def _obituary(self) -> ChildDied:
        """Tell how the child ended; one that spoke nonsense has not yet."""
        status = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(timeout=0.5)
        how = "had to be stopped" if status is None else f"ended with status {status}"
        return ChildDied(f"the program {how}", evidence=self.kill())


class _Deadline:
    """A tick that ends a wait: too long, too much computing, too much memory."""

    def __init__(self, child: ChildProcess, seconds: float, cpu_seconds: float) -> None:
        self._child = child
        self._until = time.monotonic() + seconds
        self._cpu_until = child.cpu_seconds() + cpu_seconds

    def __call__(self) -> None:
        self._child.look()
        by_computing = self._child.cpu_seconds() >= self._cpu_until
        if by_computing or time.monotonic() >= self._until:
            evidence = self._child.kill()
            raise ChildTimedOut("no answer in time", by_computing=by_computing, evidence=evidence)


def folder_size(folder: Path) -> int:
    """Bytes taken on disk by the files under ``folder``; files that vanish meanwhile count nothing."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(directory, name).lstat().st_blocks * 512
    return total
