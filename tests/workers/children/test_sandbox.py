"""What a confined program cannot do, tried from inside one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workers.children import process, seccomp, syscalls
from workers.children.frames import Frame
from workers.children.process import ChildLimits, ChildNotStarted, ChildProcess

PROBER = Path(__file__).with_name("programs") / "prober.py"
SECRET = "postgres://owner:secret@db/myriad"


def limits(policy: seccomp.Policy, address_space: int | None) -> ChildLimits:
    return ChildLimits(policy=policy, address_space=address_space, resident=1 << 30, file_size=1 << 20, open_files=64)


@pytest.fixture(scope="module")
def neighbour() -> Iterator[int]:
    """Another process of the same user."""
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        yield other.pid
        other.kill()


@pytest.fixture(scope="module", params=["sealed", "guarded"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, neighbour: int) -> dict[str, Any]:
    """What the prober found under each policy."""
    scratch = tmp_path_factory.mktemp("scratch")
    arguments = [json.dumps({"scratch": str(scratch), "neighbour": neighbour})]
    os.environ["DATABASE_URL"] = SECRET
    secret_file = (scratch.parent / "env").open("w")
    os.set_inheritable(secret_file.fileno(), True)
    try:
        with ChildProcess(PROBER, limits(request.param, 512 << 20), arguments=arguments) as child:
            frame: Frame = child.receive()
            return {"policy": request.param, "greeting": child.greeting, **frame.header}
    finally:
        del os.environ["DATABASE_URL"]
        secret_file.close()


REFUSED = [
    "socket", "socketpair", "connect", "exec", "execveat", "fork", "ptrace", "read_memory", "write_memory",
    "io_uring", "bpf", "unshare", "kill_parent", "kill_neighbour", "limits_of_parent", "forget_parent",
]  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_calls_that_reach_out_are_refused(report: dict[str, Any], what: str) -> None:
    assert report["found"][what] == "EPERM"


@pytest.mark.parametrize("what", ["parent_environment", "parent_memory", "passwd", "list_root", "write_tmp"])
def test_files_of_others_are_out_of_reach(report: dict[str, Any], what: str) -> None:
    assert report["found"][what] == ("EPERM" if report["policy"] == "sealed" else "EACCES")


def test_what_it_needs_is_left_to_it(report: dict[str, Any]) -> None:
    sealed = report["policy"] == "sealed"
    found = report["found"]
    assert found["kill_self"] == "done"
    assert found["write_scratch"] == ("EPERM" if sealed else "done")
    assert found["thread"] == ("can't start new thread" if sealed else "done")
    assert found["new_call"] == ("EPERM" if sealed else "ENOSYS")
    assert found["spawn"] in {"EPERM", "EACCES"}


def test_limits_hold_and_cannot_be_raised(report: dict[str, Any]) -> None:
    found = report["found"]
    assert found["raise_limit"] in {"EPERM", "not allowed to raise maximum limit"}
    assert found["much_memory"] == "ENOMEM"
    assert found["many_files"] == "EMFILE"
    assert found["large_file"] == ("EPERM" if report["policy"] == "sealed" else "EFBIG")


def test_nothing_of_the_parent_is_inherited(report: dict[str, Any]) -> None:
    told = json.dumps([report["environment"], report["arguments"]])
    assert SECRET not in told
    assert set(report["environment"]) <= {
        "LANG", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "LC_CTYPE",
        "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    }  # fmt: skip
    assert len(report["open_files"]) == 5, "0, 1, 2, the socket, and the folder that is being listed"
    assert report["session"]
    assert report["greeting"]["sandboxed"] is True


def test_unknown_machine_or_missing_landlock_refuses_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed; only the operator's word starts it unconfined."""
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys; sys.path[:0] = [{str(Path(process.__file__).parents[2])!r}, {str(PROBER.parents[4])!r}]\n"
        "import os\n"
        "from workers.children import seccomp\n"
        "def refuse(policy): raise seccomp.CannotConfine('no system call table for riscv64')\n"
        "seccomp.install = refuse\n"
        "from tests.workers.children.programs import prober\n"
        "prober.probe = lambda *_: {}\n"
        "prober.main()\n"
    )
    arguments = [json.dumps({"scratch": str(tmp_path), "neighbour": 1})]
    monkeypatch.delenv(process.ALLOW_UNSANDBOXED, raising=False)
    with pytest.raises(ChildNotStarted) as caught:
        ChildProcess(program, limits("sealed", None), arguments=arguments)
    assert "MYRIAD_ALLOW_UNSANDBOXED=1" in caught.value.evidence
    monkeypatch.setenv(process.ALLOW_UNSANDBOXED, "1")
    with ChildProcess(program, limits("sealed", None), arguments=arguments) as child:
        assert child.greeting["sandboxed"] is False


def test_filter_for_the_other_machine_can_be_built() -> None:
    """What cannot be run here can at least be assembled: every name has its number on both."""
    for machine in ("x86_64", "aarch64"):
        for policy in ("sealed", "guarded"):
            program = seccomp.build(policy, machine)
            assert len(program) % 8 == 0
            assert len(program) // 8 < 4096, "the kernel takes no longer one"
    with pytest.raises(seccomp.CannotConfine, match="riscv64"):
        seccomp.build("sealed", "riscv64")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="compares with this machine's headers")
def test_numbers_agree_with_the_headers() -> None:
    """The table is by hand; the C library's headers, where they are, know better."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers here")
    defined = dict(line.split()[1:3] for line in header.read_text().splitlines() if line.startswith("#define __NR_"))
    for name, number in syscalls.numbers("x86_64").items():
        assert defined[f"__NR_{name}"] == str(number)


def test_decoder_side_imports_neither_images_nor_arrays_nor_django() -> None:
    """The worker's parent process stays small, and the decode child carries no array library."""
    root = str(Path(process.__file__).parents[2])
    code = (
        f"import sys; sys.path.append({root!r}); import workers.children.decode;"
        "print([name for name in ('PIL', 'numpy', 'django', 'torch', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = code.replace("workers.children.decode;", "workers.children.decode_program;").replace("'PIL', ", "")
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
