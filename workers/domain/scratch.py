"""The folders that jobs work in: one a worker process, in it one a job, named after its tenant and gone with it.

A process holds a lock on its folder for as long as it lives, so that the next one to start can tell what a dead one
left behind; process ids would not do, because containers that share a volume have the same ones.
"""

import fcntl
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_PREFIX = "myriad-worker-"
_LOCK = "lock"


class Scratch:
    """This process's folder below `WORKER_SCRATCH` (else the system's folder for temporary files)."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._made: tuple[Path, IO[bytes]] | None = None

    @contextmanager
    def job_folder(self, tenant_id: uuid.UUID) -> Iterator[Path]:
        """A new folder that is removed at the end, whatever is in it."""
        folder = Path(tempfile.mkdtemp(prefix=f"job-{tenant_id}-", dir=self._own()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what remains is swept at the next worker's start

    def engine_folder(self) -> Path:
        """Where the resident engine works; the one of this process until `remove`."""
        return self._own() / "engine"

    def sweep(self) -> int:
        """Removes the folders of workers that are dead; returns how many."""
        return sum(_remove_if_dead(folder) for folder in _root().glob(f"{_PREFIX}*"))

    def remove(self) -> None:
        """Removes this process's folder, at its end."""
        with self._making:
            if self._made is not None:
                folder, lock = self._made
                shutil.rmtree(folder, ignore_errors=True)
                lock.close()
                self._made = None

    def _own(self) -> Path:
        with self._making:
            if self._made is None:
                # Locked under another name first: one that is found under the prefix without a lock is dead.
                draft = Path(tempfile.mkdtemp(prefix=".myriad-new-", dir=_root()))
                lock = (draft / _LOCK).open("wb")
                fcntl.flock(lock, fcntl.LOCK_EX)
                folder = draft.rename(draft.with_name(draft.name.replace(".myriad-new-", _PREFIX)))
                self._made = folder, lock
            return self._made[0]


def _root() -> Path:
    root = Path(os.environ.get("WORKER_SCRATCH") or tempfile.gettempdir())
    root.mkdir(parents=True, exist_ok=True)
    return root


def _remove_if_dead(folder: Path) -> bool:
    try:
        status = folder.lstat()
        if status.st_uid != os.getuid() or folder.is_symlink():
            return False  # another user's; the system's temporary folder is everybody's
        with (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass  # a removal that was broken off took the lock first
    shutil.rmtree(folder, ignore_errors=True)
    return True


scratch = Scratch()
