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

from workers.children import figures
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

#: Of the parent's variables, those without which some machines' libraries are not found; no secret is among
#: them.
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")

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
    """No answer in time. ``by_computing`` says that the child used up its processor time."""

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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for one answer, in seconds.

    ``computing`` is the child's processor time, of all its threads; ``idle`` is without any of it, in one piece
    (stopped, or waiting for what never comes); ``overall`` is by the clock.
    """

    computing: float
    idle: float
    overall: float


_STARTING: Final = Patience(computing=20, idle=20, overall=60)


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
        #: Bytes; the parent polls it, so it may change while the child lives.
        self.resident_limit = limits.resident
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
        patience: Patience,
    ) -> Frame:
        """Send one request and return its answer.

        Raises ``ChildTimedOut``, ``ChildTooLarge`` and ``ChildDied``; after any of them the child is dead.
        """
        watch = _Deadline(self, patience)
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
        """Kill and raise ``ChildTooLarge`` if memory or scratch is over the limit; looks at most every 50 ms."""
        now = time.monotonic()
        if now - self._looked_at < _POLL_SECONDS:
            return
        self._looked_at = now
        resident = self.resident_bytes()
        if resident > self.resident_limit:
            raise ChildTooLarge(
                f"{resident} bytes of memory, {self.resident_limit} allowed",
                what="memory",
                evidence=self.kill(),
            )
        if self._scratch is not None and (size := figures.folder_size(self._scratch)) > self._limits.scratch:
            raise ChildTooLarge(
                f"{size} bytes of scratch, {self._limits.scratch} allowed",
                what="scratch",
                evidence=self.kill(),
            )

    def resident_bytes(self) -> int:
        """Bytes of memory in use now; 0 once it is gone."""
        return figures.resident_bytes(self.pid)

    def peak_resident_bytes(self) -> int:
        """The most memory it has had in use, in bytes; 0 once it is gone."""
        return figures.peak_resident_bytes(self.pid)

    def cpu_seconds(self) -> float:
        """Processor time it has used, all threads, in seconds; 0 once it is gone."""
        return figures.cpu_seconds(self.pid)

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
            frame = self.receive(watch=_Deadline(self, _STARTING))
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
    """A tick that ends a wait: too much computing, none at all, too long, too much memory.

    Processor time is what counts, because on a busy machine a nice child may get a twentieth of a processor,
    and a customer's picture is not to be refused for that.
    """

    def __init__(self, child: ChildProcess, patience: Patience) -> None:
        self._child = child
        self._patience = patience
        self._computed_before = self._computed = child.cpu_seconds()
        self._since = self._progress_at = time.monotonic()

    def __call__(self) -> None:
        self._child.look()
        now, computed = time.monotonic(), self._child.cpu_seconds()
        if computed > self._computed:
            self._computed, self._progress_at = computed, now
        by_computing = computed - self._computed_before >= self._patience.computing
        is_idle = now - self._progress_at >= self._patience.idle
        if by_computing or is_idle or now - self._since >= self._patience.overall:
            evidence = self._child.kill()
            raise ChildTimedOut("no answer in time", by_computing=by_computing, evidence=evidence)
