"""`python -m deploy.local up`: PostgreSQL, Valkey, S3, web, prediction, dispatcher and worker, until Ctrl-C.

`DATABASE_URL`, `REDIS_URL` and `S3_ENDPOINT_URL` in the environment replace an engine each. Data, logs and
addresses are under `.local/` (another folder: `MYRIAD_LOCAL_DIR`). Exit code 0 after a stop that was asked
for, 1 when a part failed, 2 when the folder is in use.
"""

import argparse
import os
import sys
from pathlib import Path

from deploy.local.console import Console
from deploy.local.lock import AlreadyRunning, only_one
from deploy.local.process import PartFailed
from deploy.local.services import ROOT
from deploy.local.up import up


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Myriad's local stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("up", help="start everything and keep it running until Ctrl-C")
    command.add_argument("--port", type=int, help="the web's port (default: the one it had, or any free one)")
    command.add_argument("--ready-file", type=Path, help="written once everything answers, removed at the end")
    options = parser.parse_args(arguments)
    folder = (ROOT / os.environ.get("MYRIAD_LOCAL_DIR", ".local")).resolve()
    console = Console()
    try:
        with only_one(folder):
            return up(folder, console, port=options.port, ready_file=options.ready_file)
    except AlreadyRunning as error:
        console.say(str(error))
        return 2
    except (PartFailed, PermissionError) as error:
        console.say(f"failed: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
