"""A confined program that tries everything it should not be able to do, and tells what came of it."""

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[4]))

from workers.children import sandbox
from workers.children.frames import Channel
from workers.children.landlock import Paths
from workers.children.syscalls import numbers

_CALLS = numbers(os.uname().machine)
_LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: int) -> str:
    """Make a system call by name and say how it ended."""
    ctypes.set_errno(0)
    result = _LIBC.syscall(_CALLS[name], *(ctypes.c_long(argument) for argument in arguments))
    return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def attempt(action: Callable[[], object]) -> str:
    """Do something in Python and say how it ended."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    except MemoryError:
        return "MemoryError"
    except (RuntimeError, ValueError) as error:
        return str(error)
    return "done"


def _thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def probe(parent: int, scratch: Path, neighbour: int) -> dict[str, str]:
    """Try everything."""
    own = os.getpid()
    return {
        "socket": attempt(socket.socket),
        "socketpair": attempt(socket.socketpair),
        "connect": call("connect", 3, 0, 0),
        "exec": attempt(lambda: os.execv("/bin/true", ["true"])),  # noqa: S606 - that it fails is the point
        "execveat": call("execveat", 0, 0, 0, 0, 0),
        "fork": attempt(os.fork),
        "spawn": attempt(lambda: subprocess.run(["/bin/true"], check=False)),
        "thread": attempt(_thread),
        "ptrace": call("ptrace", 16, parent, 0, 0),
        "read_memory": call("process_vm_readv", parent, 0, 0, 0, 0, 0),
        "write_memory": call("process_vm_writev", parent, 0, 0, 0, 0, 0),
        "io_uring": call("io_uring_setup", 1, 0),
        "bpf": call("bpf", 0, 0, 0),
        "unshare": call("unshare", 0x10000000),
        "new_call": _new_call(),
        "kill_parent": attempt(lambda: os.kill(parent, 0)),
        "kill_neighbour": attempt(lambda: os.kill(neighbour, 0)),
        "kill_self": attempt(lambda: os.kill(own, 0)),
        "limits_of_parent": attempt(lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE)),
        "raise_limit": attempt(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))),
        "forget_parent": call("prctl", 1, 0, 0, 0, 0),
        "parent_environment": attempt(Path(f"/proc/{parent}/environ").read_bytes),
        "parent_memory": attempt(lambda: Path(f"/proc/{parent}/mem").open("rb")),
        "passwd": attempt(Path("/etc/passwd").read_bytes),
        "own_environment": attempt(Path("/proc/self/environ").read_bytes),
        "list_root": attempt(lambda: list(Path("/").iterdir())),
        "write_scratch": attempt(lambda: (scratch / "probe").write_bytes(b"x")),
        "write_tmp": attempt(lambda: (scratch.parent / "outside").write_bytes(b"x")),
        "large_file": attempt(lambda: (scratch / "large").open("wb").truncate(64 << 20)),
        "many_files": attempt(lambda: [os.dup(0) for _ in range(5000)]),
        "much_memory": attempt(lambda: mmap.mmap(-1, 600 << 20)),
    }


def _new_call() -> str:
    ctypes.set_errno(0)
    _LIBC.syscall(ctypes.c_long(600))
    return errno.errorcode[ctypes.get_errno()]


def main() -> None:
    """Confine, probe, tell."""
    confinement = sandbox.Confinement.from_argument(sys.argv[1])
    sandbox.follow_parent(confinement.parent)
    settings = json.loads(sys.argv[2])
    scratch = Path(settings["scratch"])
    channel = Channel(socket.socket(fileno=confinement.socket), max_payload=0)
    libraries = [Path(path) for path in (sys.base_prefix, sys.prefix, "/lib", "/usr/lib")]
    open_files = sorted(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterdir opens it later
    channel.send(sandbox.enter(confinement, Paths(readable=libraries, writable=[scratch])))
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    found = probe(confinement.parent, scratch, settings["neighbour"])
    channel.send(
        {
            "found": found,
            "environment": dict(os.environ),
            "arguments": sys.argv[1:],
            "open_files": open_files,
            "session": os.getsid(0) == os.getpid() if confinement.policy == "guarded" else True,
        }
    )
    channel.receive()


if __name__ == "__main__":
    main()
