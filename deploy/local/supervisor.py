"""Starts everything in order, watches it, and ends it in the reverse order.

Written here rather than taken from a library: honcho starts all processes at once and stops all when one
ends; it knows neither an order of start, nor readiness, nor a restart. supervisord and circus know priorities
but not readiness, and want a daemon with a configuration file and a control socket. What is needed is small:
a child process that cannot outlive us (`child.py`), a question whether it answers, and this loop. It has one
thread, so the signal handler sets a flag, and everything happens at the `pause` of a loop.
"""

import signal
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from deploy.local.console import Console
from deploy.local.engines import STOP_SECONDS, Engines
from deploy.local.process import Command, PartFailed, Process, wait_until_answers
from deploy.local.services import Readiness, Service, readiness

PREPARE_SECONDS = 300
READY_SECONDS = 90
# Seconds until a part that ended is started again; the last value repeats.
BACKOFF = (1, 2, 4, 8, 15, 30)
# A part that ran this long (seconds) before it ended starts over at the first value.
STEADY_SECONDS = 60


class StopRequested(Exception):
    """Ctrl-C or SIGTERM. Raised at a `pause`."""


@dataclass
class _Running:
    service: Service
    process: Process
    started_at: float = 0.0
    failures: int = 0
    restart_at: float | None = None


@dataclass
class Supervisor:
    engines: Engines
    console: Console
    _signals: int = field(init=False, default=0)
    _asked_to_stop: bool = field(init=False, default=False)
    _running: list[_Running] = field(init=False, default_factory=list)

    def listen_to_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    @property
    def _hurry(self) -> bool:
        """Whether a signal came after the one that asked for the end, or while ending for another reason."""
        return self._signals > int(self._asked_to_stop)

    def pause(self, seconds: float) -> None:
        """Raises StopRequested when somebody wants the end."""
        self.console.tick()
        if self._signals:
            self._asked_to_stop = True
            raise StopRequested
        time.sleep(seconds)

    def start_engines(self) -> None:
        for process in self.engines.processes:
            self.console.follow(process.name, process.log)
        self.engines.start(pause=self.pause)

    def prepare(self, commands: dict[str, Command]) -> None:
        """Runs the commands one after another. Raises PartFailed for the first that fails."""
        for name, command in commands.items():
            process = Process(name, command, log=self.engines.log(name))
            self.console.follow(name, process.log)
            process.start()
            try:
                self._until_ended(process)
            finally:
                process.kill()

    def _until_ended(self, process: Process) -> None:
        deadline = time.monotonic() + PREPARE_SECONDS
        while process.alive:
            if time.monotonic() > deadline:
                raise process.failure(f"did not end within {PREPARE_SECONDS} s")
            self.pause(0.05)
        if process.returncode != 0:
            raise process.failure(f"ended with exit code {process.returncode}")

    def start_services(self, services: list[Service], *, port: int) -> None:
        """Starts all, since none needs another to start, then waits for one after the other."""
        for service in services:
            process = Process(service.name, service.command, log=self.engines.log(service.name))
            self.console.follow(service.name, process.log)
            self._running.append(_Running(service, process, started_at=time.monotonic()))
            process.start()
        for running in self._running:
            self._wait_ready(running, port)

    def _wait_ready(self, running: _Running, port: int) -> None:
        state: Readiness = {}

        def ready() -> bool:
            nonlocal state
            self._refuse_dead()
            state = readiness(port)
            return running.service.ready(state)

        try:
            wait_until_answers(running.process, ready, seconds=READY_SECONDS, pause=lambda _: self.pause(0.1))
        except PartFailed as error:
            if state and running.process.alive:
                raise running.process.failure(f"is not ready after {READY_SECONDS} s; /readyz says {state}") from error
            raise

    def _refuse_dead(self) -> None:
        for process in [*self.engines.processes, *(running.process for running in self._running)]:
            if not process.alive:
                raise process.failure(f"ended with exit code {process.returncode}")

    def watch(self) -> NoReturn:
        """Until the end: raises StopRequested, or PartFailed when an engine is gone."""
        while True:
            self.pause(0.1)
            for engine in self.engines.processes:
                if not engine.alive:
                    raise engine.failure(f"ended with exit code {engine.returncode}")
            for running in self._running:
                self._revive(running)

    def _revive(self, running: _Running) -> None:
        """A part of ours that ended is named, with its last lines, and started again after a while."""
        if running.process.alive:
            return
        now = time.monotonic()
        if running.restart_at is None:
            if now - running.started_at > STEADY_SECONDS:
                running.failures = 0
            wait = BACKOFF[min(running.failures, len(BACKOFF) - 1)]
            running.failures += 1
            running.restart_at = now + wait
            self.console.tick()
            failure = running.process.failure(f"ended with exit code {running.process.returncode}")
            self.console.say(f"{failure}\n{running.service.name} starts again in {wait} s")
        elif now >= running.restart_at:
            running.process.kill()  # what it left in its session
            running.process.start()
            running.started_at, running.restart_at = now, None

    def stop(self) -> None:
        """The services one by one, last first, then the engines together: 15 s. A second signal kills all."""
        for running in reversed(self._running):
            running.process.ask_to_stop()
            deadline = time.monotonic() + running.service.grace
            while running.process.alive and time.monotonic() < deadline and not self._hurry:
                self.console.tick()
                time.sleep(0.02)
            running.process.kill()
            self.console.tick()
        for process in self.engines.processes:
            self.console.forget(process.name)  # each complains of the others' going
        self.engines.stop(grace=STOP_SECONDS if not self._hurry else 0)
