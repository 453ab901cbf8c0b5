"""What a worker of the kill loop does, until it is killed: claim, lease, publish, succeed, enqueue."""

import os
import random
import signal
import time
import uuid
from pathlib import Path

from django.db import connection

from tenants.jobs import LeaseLost
from tests.workers.queues import Works, claim
from workers.domain import dispatching, leases
from workers.domain.leases import Lease


class Worker:
    """What a forked process does until it is killed, or told by SIGTERM to finish what is there."""

    def __init__(self, tenants: list[Works], *, dozing: float, lease_seconds: float) -> None:
        self.tenants = tenants
        self.dozing = dozing
        self.lease_seconds = lease_seconds
        self.finishing = False
        self.parent = os.getppid()
        signal.signal(signal.SIGTERM, self._finish)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _finish(self, *_: object) -> None:
        self.finishing = True

    def run(self) -> None:
        while os.getppid() == self.parent:
            if random.random() < 0.1:
                dispatching.reap()
            job_id = claim()
            if job_id is not None:
                self._do(job_id)
            elif self.finishing and not self._anything_left():
                return
            else:
                dispatching.reap()
                time.sleep(0.01)

    def _do(self, job_id: uuid.UUID) -> None:
        lease = leases.take_lease(job_id=job_id, worker=str(os.getpid()))
        if lease is None:
            return
        try:
            if random.random() < self.dozing:
                time.sleep(self.lease_seconds * random.uniform(0.8, 2.0))
            elif lease.attempts > 1:
                # So that who wakes up late may find the job in the middle of its next attempt.
                time.sleep(self.lease_seconds * random.uniform(0.2, 0.8))
            self._publish(lease)
            leases.renew(lease, progress={"done": 1, "total": 1, "message": ""})
            leases.succeed(lease, result={}, progress={})
        except LeaseLost:
            _note_fenced()
            return
        if not self.finishing:
            random.choice(self.tenants).enqueue()

    @staticmethod
    def _publish(lease: Lease) -> None:
        with leases.publishing(lease), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO chaos_entry SELECT %s, token, state FROM tenants_job WHERE id = %s",
                [lease.token, str(lease.job_id)],
            )
            cursor.execute("SELECT 1 FROM chaos_publication WHERE job_id = %s", [str(lease.job_id)])
            if cursor.fetchone() is None:
                cursor.execute("INSERT INTO chaos_publication VALUES (%s)", [str(lease.job_id)])
                cursor.execute(
                    "UPDATE chaos_count SET published = published + 1 WHERE tenant_id = %s", [str(lease.tenant_id)]
                )

    def _anything_left(self) -> bool:
        return any(works.queue().waiting + works.queue().running for works in self.tenants)


def _note_fenced() -> None:
    with Path(os.environ["KILL_LOOP_FENCED"]).open("ab") as file:
        file.write(b".")
