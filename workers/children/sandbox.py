"""What a child program does to itself before the first foreign byte: limits, then doors shut for good.

Runs in the child, while it has one thread. The order matters: what needs rights first, then the rights go.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from dataclasses import asdict, dataclass
from typing import Final

from workers.children import landlock, seccomp
from workers.children.seccomp import CannotConfine

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522


@dataclass(frozen=True, slots=True)
class Confinement:
    """Limits of a child program; its parent sends them as the program's one argument.

    ``parent`` is the parent's process id and ``socket`` the descriptor to talk through. ``address_space``
    (bytes) bounds all memory, mapped libraries included; None where a library reserves far more than it uses
    (CUDA). ``allow_unsandboxed`` lets the program start where the kernel cannot confine it.
    """

    parent: int
    socket: int
    policy: seccomp.Policy
    address_space: int | None
    file_size: int
    open_files: int
    niceness: int
    allow_unsandboxed: bool

    def as_argument(self) -> str:
        """Return the text that ``from_argument`` reads."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_argument(text: str) -> Confinement:
        """Read what ``as_argument`` wrote."""
        return Confinement(**json.loads(text))


def follow_parent(parent: int) -> None:
    """Arrange to be killed when the thread that started this process ends, or exit now if it has."""
    if sys.platform != "linux":
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def enter(confinement: Confinement, paths: landlock.Paths) -> dict[str, object]:
    """Confine this process for good and say how far; raises ``CannotConfine`` rather than run half-confined.

    After it: no new process, no network, no reach into other processes, no privilege; limits on memory, file
    size and open files that cannot be raised; files only as ``paths`` says (the sealed policy opens none at
    all).
    """
    try:
        _set_limits(confinement)
        os.nice(confinement.niceness)
        return _shut_doors(confinement, paths)
    except (CannotConfine, OSError, ValueError, AttributeError) as error:
        if confinement.allow_unsandboxed:
            return {"sandboxed": False, "landlock": 0, "why": str(error)}
        raise CannotConfine(f"{error}; MYRIAD_ALLOW_UNSANDBOXED=1 would start it all the same") from error


def _set_limits(confinement: Confinement) -> None:
    if confinement.address_space is not None:
        _limit(resource.RLIMIT_AS, confinement.address_space)
    _limit(resource.RLIMIT_FSIZE, confinement.file_size)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError in the one file instead of a death
    _limit(resource.RLIMIT_NOFILE, confinement.open_files)
    _limit(resource.RLIMIT_CORE, 0)  # a core file would hold a customer's picture
    if confinement.policy == "sealed":
        # It counts all processes of the user and does not bind root, so the filter is what really forbids
        # processes; for the engine, which needs threads, no number would be right.
        _limit(resource.RLIMIT_NPROC, 0)


def _shut_doors(confinement: Confinement, paths: landlock.Paths) -> dict[str, object]:
    if sys.platform != "linux":
        raise CannotConfine(f"no sandbox on {sys.platform}")
    _prctl(_PR_SET_DUMPABLE, 0)  # other processes of the user (another child) cannot look into this one
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    used = landlock.restrict(paths)
    if used == 0 and confinement.policy != "sealed":
        # Without it the engine could read its parent's environment, where the secrets are, in /proc.
        raise CannotConfine("the kernel offers no Landlock")
    seccomp.install(confinement.policy)
    return {"sandboxed": True, "landlock": used, "why": ""}


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (bound, bound))


def _drop_capabilities() -> None:
    """Give up root's powers (nothing changes for another user): a hard limit is hard only without them."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0)) != 0:
        raise CannotConfine(f"capset: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)  # the kernel insists on all 64 bits of the unused arguments
    if libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero) != 0:
        raise CannotConfine(f"prctl {option}: {os.strerror(ctypes.get_errno())}")
