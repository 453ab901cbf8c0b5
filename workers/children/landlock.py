"""Landlock: which files a child program may touch, where the kernel can be asked (Linux 5.13 and later)."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_TRUNCATE: Final = 1 << 14
_IOCTL_DEVICE: Final = 1 << 15
_FOR_FILES: Final = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE

#: Rights to files by interface version: 13 at first, then moving, truncating, and (from 5) device calls.
_FILE_RIGHTS: Final = {
    1: (1 << 13) - 1,
    2: (1 << 14) - 1,
    3: (1 << 15) - 1,
    4: (1 << 15) - 1,
    5: (1 << 16) - 1,
}
_TCP_RIGHTS: Final = 0b11
_SCOPES: Final = 0b11  # abstract Unix sockets and signals stay inside


@dataclass(frozen=True, slots=True)
class Paths:
    """What may be touched: ``listed`` may be listed only; missing paths are passed over."""

    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    devices: Sequence[Path] = ()
    listed: Sequence[Path] = ()


def version() -> int:
    """Return the kernel's Landlock interface version; 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION))


def restrict(paths: Paths) -> int:
    """Refuse all file access but to ``paths``, for good; return the interface version used, 0 for none.

    To be called while there is one thread, after PR_SET_NO_NEW_PRIVS. What is open already stays usable. It
    also keeps the process from looking into processes outside (their environment in /proc among it).
    """
    abi = version()
    if abi == 0:
        return 0
    rights = _FILE_RIGHTS[min(abi, 5)]
    attributes = [rights] + ([_TCP_RIGHTS] if abi >= 4 else []) + ([_SCOPES] if abi >= 6 else [])
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    ruleset = _checked(_CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), 0)
    try:
        _allow(ruleset, paths.readable, _READ_FILE | _READ_DIR)
        _allow(ruleset, paths.writable, rights & ~_IOCTL_DEVICE)
        _allow(ruleset, paths.devices, (_READ_FILE | _WRITE_FILE | _READ_DIR | _IOCTL_DEVICE) & rights)
        _allow(ruleset, paths.listed, _READ_DIR)
        _checked(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _allow(ruleset: int, paths: Sequence[Path], rights: int) -> None:
    for path in paths:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            is_folder = stat.S_ISDIR(os.fstat(fd).st_mode)
            rule = struct.pack("=Qi", rights if is_folder else rights & _FOR_FILES, fd)
            _checked(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        finally:
            os.close(fd)


def _call(*arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(*arguments))


def _checked(*arguments: object) -> int:
    result = _call(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
