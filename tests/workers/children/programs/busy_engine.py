"""The engine program with operations that do something, some of them badly.

They are typed loosely: their types would import what has to come after the sandbox.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[4]))

from workers.children import engine_program


def train(pack: Any) -> None:
    """Count together, one step for all; each run says how far it is to go."""
    step = {run.run_id: 0 for run in pack}
    while running := [run for run in pack if not run.ended]:
        for run in running:
            if run.should_stop():
                run.leave()
                continue
            step[run.run_id] += 1
            done, total = step[run.run_id], run.parameters["steps"]
            run.progress(done, total, message="training", losses={"box": 1 / done, "class": 0.5})
            if done % 5 == 0:
                run.checkpoint(f"state {done}".encode(), step=done, name="steps")
            if done == total:
                run.finish({"steps": done, "packed_with": len(pack)}, {"doubled": run.arrays["x"] * 2})
        time.sleep(0.01)


def crash(run: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(20)


def fail_by_a_bug(run: Any) -> None:
    raise ZeroDivisionError("a bug")


def run_out_of_memory(run: Any) -> None:
    raise MemoryError


def refuse(run: Any) -> None:
    run.fail("too_few_images", "There are 3 images; 10 are needed.", hint="Add images.")


def hoard(run: Any) -> None:
    kept = [bytearray(64 << 20) for _ in range(12)]
    time.sleep(20)
    run.finish({"kept": len(kept)})


def fill(run: Any) -> None:
    for number in range(40):
        (run.scratch / str(number)).write_bytes(os.urandom(1 << 20))
        time.sleep(0.02)
    time.sleep(20)


def use_scratch(run: Any) -> None:
    (run.scratch / "own").write_text("x")
    run.finish({"files": sorted(path.name for path in run.scratch.iterdir()), "at": str(run.scratch)})


def read_inputs(run: Any) -> None:
    """Tell what the run was given."""
    inputs = run.scratch / "inputs"
    told = {path.name: path.read_text()[:100] for path in sorted(inputs.iterdir())}
    run.finish({"files": told, "listed": len(run.parameters.get("listed", ()))})


def read_outside(run: Any) -> None:
    told = {}
    for path in run.parameters["paths"]:
        try:
            told[path] = Path(path).read_text()
        except OSError as error:
            told[path] = type(error).__name__
    run.finish({"told": told})


def hold(run: Any) -> None:
    """Keep 250 MB until told to stop."""
    kept = bytearray(os.urandom(1 << 20)) * 250
    run.progress(1, 2, message="held")
    until = time.monotonic() + run.parameters["seconds"]
    while time.monotonic() < until and not run.should_stop():
        time.sleep(0.05)
    run.finish({"kept": len(kept)})


def resume(run: Any) -> None:
    """Hand out two parts and die; with both of them among the files, finish."""
    inputs = run.scratch / "inputs"
    names = run.parameters.get("checkpoints", [])
    if names:
        run.finish({"from": {name: (inputs / f"checkpoint-{name}").read_text() for name in names}})
        return
    for step in (1, 2):
        run.checkpoint(f"heads {step}".encode(), step=step, name="heads")
    run.checkpoint(b"fold", step=3, name="fold-0")
    while not run.should_stop():
        time.sleep(0.05)


def publish(run: Any) -> None:
    """Report, hand out a part, and end with files as arrays of bytes."""
    steps = run.parameters["steps"]
    run.checkpoint(b"state", step=steps, name="heads")
    run.progress(steps, steps, message="done", losses={"box": 0.5})
    import numpy as np

    data = np.frombuffer(b"\x00\x01weights", dtype=np.uint8)
    run.finish({"steps": steps}, {"heads.safetensors": data, "empty": data[:0]})


def reach_out(run: Any) -> None:
    told = {}
    actions: dict[str, Callable[[], object]] = {
        "socket": socket.socket,
        "environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "passwd": lambda: Path("/etc/passwd").read_bytes(),
        "settings": lambda: Path(run.parameters["settings"]).read_bytes(),
    }
    for name, action in actions.items():
        try:
            action()
            told[name] = "done"
        except OSError as error:
            told[name] = type(error).__name__
    run.finish({"told": told, "environment": sorted(os.environ)})


WRONGS: dict[str, Callable[[Any], object]] = {
    "crash": crash,
    "raise": fail_by_a_bug,
    "silence": lambda _: None,
    "memory": run_out_of_memory,
    "refuse": refuse,
    "hoard": hoard,
    "fill": fill,
    "stubborn": lambda _: time.sleep(20),
    "hold the lock": lambda _: ctypes.PyDLL(None).sleep(20),
    "scratch": use_scratch,
    "inputs": read_inputs,
    "outside": read_outside,
    "hold": hold,
    "resume": resume,
    "publish": publish,
    "reach out": reach_out,
}


def misbehave(pack: Any) -> None:
    """Do the wrong that the parameters ask for."""
    (run,) = pack
    WRONGS[run.parameters["wrong"]](run)


if __name__ == "__main__":
    usual = {"ping": "workers.children.engine_operations:ping"}
    engine_program.main(usual | {"train": "__main__:train", "misbehave": "__main__:misbehave"})
