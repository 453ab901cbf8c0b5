"""What a process and a folder take, read from Linux's /proc and the file system; 0 where that cannot be told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Bytes of memory that a process has in use."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_resident_bytes(pid: int) -> int:
    """The most that it has had in use."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid: int) -> float:
    """Processor time that it has used, all threads, in steps of a hundredth of a second."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def folder_size(folder: Path) -> int:
    """Bytes taken on disk by the files under ``folder``; files that vanish meanwhile count nothing."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(directory, name).lstat().st_blocks * 512
    return total
