"""A database that goes away for a moment, as in a restart: sessions end, new ones are refused."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections
from psycopg2 import extensions, sql


@dataclass(frozen=True)
class Switch:
    """Turns a test's database off and on, over a connection to another one."""

    admin: extensions.connection
    database: str

    def off(self) -> None:
        """Lets nobody in, and ends all sessions."""
        self._let_in(everybody=False)
        with self.admin.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [self.database]
            )

    def on(self) -> None:
        self._let_in(everybody=True)
        connections.close_all()  # this thread's own, which are dead

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.off()
        try:
            yield
        finally:
            self.on()

    def off_for(self, seconds: float) -> threading.Timer:
        """Off now; a timer turns it on again. Join it before the test ends."""
        self.off()
        timer = threading.Timer(seconds, self.on)
        timer.start()
        return timer

    def _let_in(self, *, everybody: bool) -> None:
        change = sql.SQL(f"ALTER DATABASE {{}} ALLOW_CONNECTIONS {everybody}").format(sql.Identifier(self.database))
        with self.admin.cursor() as cursor:
            cursor.execute(change)
