"""Becomes the command it is given, after tying its life to its parent's. Run as a script, never imported.

    python -I -S child.py PARENT_PID DEATH_SIGNAL USER NICE COMMAND [ARGUMENT ...]

On Linux the kernel sends DEATH_SIGNAL when the parent dies, however it dies (SIGKILL included), so no part of
the stack outlives its supervisor. Elsewhere the next start ends what is left (`Process`). It is a program of
its own and not Popen's `preexec_fn`, because Python code between fork and exec may deadlock in a process with
threads (pytest's, for one). The order below matters: changing the user clears the death signal, and a parent
that died before `prctl` shows in the changed parent id.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)


def main(parent: int, death_signal: int, user: str, niceness: int, command: list[str]) -> None:
    os.nice(niceness)
    if user:
        become(user)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the parent is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 - a shell is not wanted
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:])
