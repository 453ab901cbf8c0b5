"""Seccomp filters: which system calls a child program may make, as classic BPF installed by prctl.

Two policies. ``SEALED`` is for the decoder, once everything is imported: a short list of calls that compute
on memory and on descriptors it was given, and no call that takes a path, so it needs no file-system rules at
all. ``GUARDED`` is for the engine, whose libraries open files lazily: everything but the calls that reach out
of the process. A refused call gives EPERM, which Python turns into ``PermissionError``; unknown calls newer
than this file give ENOSYS, by which a library falls back to older ones.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass
from typing import Final, Literal

from workers.children.syscalls import FIRST_COMMON, numbers

Policy = Literal["sealed", "guarded"]

_PR_SET_SECCOMP: Final = 22
_PR_SET_PDEATHSIG: Final = 1
_SECCOMP_MODE_FILTER: Final = 2
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000

_KILL: Final = 0x80000000
_ALLOW: Final = 0x7FFF0000
_EPERM: Final = 0x00050000 | errno.EPERM
_ENOSYS: Final = 0x00050000 | errno.ENOSYS

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06

_AT_NUMBER: Final = 0
_AT_ARCH: Final = 4
_AT_ARGUMENTS: Final = 16  # eight bytes each, low half first on both machines

_SEALED_ALLOWS: Final = """
    read write readv writev pread64 pwrite64 lseek fstat newfstatat close dup fcntl ftruncate ioctl
    mmap munmap mremap mprotect madvise brk futex rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack
    exit exit_group restart_syscall recvmsg sendmsg recvfrom sendto shutdown poll ppoll
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time getrandom getpid gettid getrusage
    getrlimit times sched_yield sched_getaffinity set_robust_list rseq uname sysinfo membarrier getcpu getcwd
"""

_GUARDED_DENIES: Final = """
    socket socketpair connect bind listen accept accept4 sendmmsg execve execveat fork vfork
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease
    pidfd_open pidfd_getfd pidfd_send_signal kcmp tkill rt_sigqueueinfo rt_tgsigqueueinfo
    io_uring_setup io_uring_enter io_uring_register io_setup bpf perf_event_open userfaultfd
    keyctl add_key request_key unshare setns mount umount2 pivot_root chroot
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct quotactl
    syslog settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname iopl ioperm
    modify_ldt personality name_to_handle_at open_by_handle_at fanotify_init mknod mknodat
    shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop semctl mq_open mq_unlink
    setpriority ioprio_set sched_setscheduler sched_setattr sched_setparam setuid setgid setreuid setregid
    setresuid setresgid setgroups setfsuid setfsgid capset seccomp
"""

#: Calls of the common range that the guarded engine's C library may want; all others there are unknown to it.
_GUARDED_COMMON: Final = ["close_range", "faccessat2", "epoll_pwait2", "futex_waitv"]


class CannotConfine(Exception):
    """This machine or kernel cannot be asked to confine the process."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """Allow ``call`` only if its ``argument`` (by number; low 32 bits) passes ``test`` against ``value``."""

    call: str
    argument: int
    test: int
    value: int
    negate: bool = False


def _conditions(policy: Policy) -> list[_Condition]:
    own = os.getpid()
    conditions = [
        _Condition("kill", 0, _IF_EQUAL, own),
        _Condition("tgkill", 0, _IF_EQUAL, own),  # abort() and raise()
        _Condition("prlimit64", 0, _IF_EQUAL, 0),  # 0 is the caller; another process of the user is not ours
    ]
    if policy == "guarded":
        conditions += [
            _Condition("clone", 0, _IF_ANY_BIT, _CLONE_THREAD),  # threads, but no processes
            _Condition("prctl", 0, _IF_EQUAL, _PR_SET_PDEATHSIG, negate=True),  # it must die with its parent
        ]
    return conditions


def build(policy: Policy, machine: str) -> bytes:
    """Return the filter's instructions for this process on ``machine``."""
    if machine not in _AUDIT_ARCH:
        raise CannotConfine(f"no system call table for {machine}")
    known = numbers(machine)
    program = [
        _step(_LOAD, _AT_ARCH),
        _step(_IF_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _step(_RETURN, _KILL),  # the numbers of another architecture mean other calls
        _step(_LOAD, _AT_NUMBER),
    ]
    if machine == "x86_64":
        program += [_step(_IF_AT_LEAST, _X32_BIT, 0, 1), _step(_RETURN, _EPERM)]
    # The C library starts threads by clone when clone3 is unknown; clone's flags, unlike clone3's, can be
    # read.
    program += _answer(known["clone3"], _ENOSYS)
    for condition in _conditions(policy):
        program += _check(known[condition.call], condition)
    if policy == "sealed":
        for name in _SEALED_ALLOWS.split():
            program += _answer(known[name], _ALLOW) if name in known else []
        program.append(_step(_RETURN, _EPERM))
        return b"".join(program)
    for name in _GUARDED_DENIES.split():
        program += _answer(known[name], _EPERM) if name in known else []
    for name in _GUARDED_COMMON:
        program += _answer(known[name], _ALLOW)
    program += [_step(_IF_AT_LEAST, FIRST_COMMON, 0, 1), _step(_RETURN, _ENOSYS), _step(_RETURN, _ALLOW)]
    return b"".join(program)


def install(policy: Policy) -> None:
    """Confine this thread and all that it starts, for good; raises ``CannotConfine``.

    To be called while there is one thread, after PR_SET_NO_NEW_PRIVS.
    """
    program = build(policy, os.uname().machine)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), header) != 0:
        raise CannotConfine(f"seccomp: {os.strerror(ctypes.get_errno())}")


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _answer(number: int, action: int) -> list[bytes]:
    return [_step(_IF_EQUAL, number, 0, 1), _step(_RETURN, action)]


def _check(number: int, condition: _Condition) -> list[bytes]:
    yes, no = (_EPERM, _ALLOW) if condition.negate else (_ALLOW, _EPERM)
    return [
        _step(_IF_EQUAL, number, 0, 4),
        _step(_LOAD, _AT_ARGUMENTS + 8 * condition.argument),
        _step(condition.test, condition.value, 0, 1),
        _step(_RETURN, yes),
        _step(_RETURN, no),
    ]
