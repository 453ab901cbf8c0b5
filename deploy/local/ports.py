"""Which port each part listens on: the one it had, while that is free, else a new one."""

import contextlib
import json
import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
# Below the range from which Linux and macOS take ports for outgoing connections, so that none of those can
# take a port between our choice and the engine's bind.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now. A past connection's TIME_WAIT does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class Ports:
    """Ports by name, kept in `path` so that addresses stay the same over restarts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, int] = {}
        self._chosen: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError, ValueError):
            self._kept = json.loads(path.read_text(encoding="ascii"))

    def choose(self, name: str, *, wanted: int | None = None) -> int:
        """The port for `name`: `wanted`, else the one kept, else any; never one that is taken.

        Raises OSError when no port is free.
        """
        if name not in self._chosen:
            self._chosen[name] = self._free(wanted or self._kept.get(name))
            self._path.write_text(json.dumps(self._kept | self._chosen, indent=1), encoding="ascii")
        return self._chosen[name]

    def _free(self, first: int | None) -> int:
        candidates = [first] if first else []
        candidates += random.sample(range(LOWEST, HIGHEST), 200)
        for port in candidates:
            if port not in self._chosen.values() and is_free(port):
                return port
        raise OSError(f"no free port between {LOWEST} and {HIGHEST} on {HOST}")
