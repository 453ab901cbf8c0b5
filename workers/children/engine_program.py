"""The engine child's program: confines itself, then loads what it computes with and serves.

Numerical libraries start threads when they are imported, and a filter binds only threads started after it: so
the doors are shut first. They may read their own files then, and write to the scratch folder, and nothing
else.
"""

from __future__ import annotations

import faulthandler
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.append(str(_ROOT))

from workers.children import sandbox  # noqa: E402 - the path has to be set first
from workers.children.frames import Channel  # noqa: E402
from workers.children.landlock import Paths  # noqa: E402

#: Of our own code, the folders an operation may come from; next to them may lie an environment file with
#: secrets.
_CODE: Final = ("workers", "training", "projects", "tenants")
_SYSTEM: Final = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/usr/local/cuda",
    "/usr/local/nvidia",
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/devices",
    "/proc/driver",
    "/sys/devices",
    "/sys/bus",
    "/sys/fs/cgroup",
)


def main(operations: Mapping[str, str] | None = None) -> None:
    """Confine this process, say so, then serve ``operations`` (or the usual) until the parent closes."""
    confinement = sandbox.Confinement.from_argument(sys.argv[1])
    settings = json.loads(sys.argv[2])
    sandbox.follow_parent(confinement.parent)
    faulthandler.enable()
    scratch = Path(settings["scratch"])
    os.environ.update(TMPDIR=str(scratch), HOME=str(scratch), OMP_NUM_THREADS=str(settings["threads"]))
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
    report = sandbox.enter(confinement, _paths(scratch, [Path(path) for path in settings["readable"]]))

    # Only now: these import numerical libraries, whose threads the filter has to bind.
    from workers.children.engine_operations import OPERATIONS  # noqa: PLC0415
    from workers.children.engine_server import EngineServer  # noqa: PLC0415

    channel = Channel(socket.socket(fileno=confinement.socket), max_payload=settings["max_payload"])
    channel.send(report)
    EngineServer(channel, device=settings["device"], operations=operations or OPERATIONS).serve()


def _paths(scratch: Path, readable: Sequence[Path]) -> Paths:
    libraries = {Path(path) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    return Paths(
        readable=[*libraries, *readable, *(Path(path) for path in _SYSTEM), *(_ROOT / folder for folder in _CODE)],
        writable=[scratch],
        devices=[Path("/dev/null"), *Path("/dev").glob("nvidia*")],
        listed=[_ROOT],
    )


if __name__ == "__main__":
    main()
