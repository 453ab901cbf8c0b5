"""The engine child's inside: takes packs of runs, computes each in its own thread, cancels on request."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workers.children.arrays import Array, restore
from workers.children.engine_operations import Pack, RunContext, find
from workers.children.frames import Channel, Frame


class EngineServer:
    """Serves one channel until it closes. The calling thread only listens, so a cancel is heard at once."""

    def __init__(self, channel: Channel, *, device: str, operations: Mapping[str, str]) -> None:
        self._channel = channel
        self._device = device
        self._operations = operations
        self._sending = threading.Lock()
        self._runs: dict[int, RunContext] = {}

    def serve(self) -> None:
        """Handle frames until the parent closes the channel."""
        while (frame := self._channel.receive()) is not None:
            if frame.header["kind"] == "start":
                self._start(frame)
            elif frame.header["kind"] == "cancel" and (run := self._runs.get(frame.header["attempt"])) is not None:
                run.stop()

    def _start(self, frame: Frame) -> None:
        pack = [self._context(*share) for share in _share_out(frame)]
        self._runs.update({run.attempt: run for run in pack})
        name = frame.header["operation"]
        threading.Thread(target=self._compute, args=(name, pack), name=f"engine-{name}", daemon=True).start()

    def _context(self, fields: dict[str, Any], parameters: Any, arrays: dict[str, Array]) -> RunContext:
        return RunContext(
            attempt=fields["attempt"],
            run_id=fields["run_id"],
            tenant_id=fields["tenant_id"],
            parameters=parameters,
            arrays=arrays,
            scratch=Path(fields["scratch"]),
            device=self._device,
            send=self._send,
        )

    def _compute(self, name: str, pack: Pack) -> None:
        """Run the operation and see to it that each run of the pack ends."""
        try:
            find(name, self._operations)(pack)
            _end_all(pack, "engine_silent", "The training ended without a result.", "")
        except MemoryError:
            _end_all(pack, "engine_memory", "The training needs more memory than there is.", traceback.format_exc())
        except Exception:  # noqa: BLE001 - whatever it is, the pack's runs have to end
            _end_all(pack, "engine_error", "The training stopped on an error of ours.", traceback.format_exc())
        finally:
            for run in pack:
                self._runs.pop(run.attempt, None)

    def _send(self, header: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        with self._sending:
            try:
                self._channel.send(header, buffers=buffers)
            except OSError:
                os._exit(1)  # nobody is left to compute for


def _end_all(pack: Pack, code: str, message: str, detail: str) -> None:
    for run in pack:
        if run.should_stop():
            run.leave()
        else:
            run.fail(code, message, hint="Try again; if it stays, tell us the run's number.", detail=detail)


def _share_out(frame: Frame) -> list[tuple[dict[str, Any], Any, dict[str, Array]]]:
    """Give each run of the frame its parameters and arrays."""
    shares, start = [], 0
    for fields in frame.header["runs"]:
        parameters, *arrays = frame.buffers[start : start + 1 + len(fields["arrays"])]
        shares.append((fields, json.loads(bytes(parameters)), restore(fields["arrays"], arrays)))
        start += 1 + len(arrays)
    return shares
