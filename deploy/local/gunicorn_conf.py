"""gunicorn for two cores and less than 200 MB: two processes of four threads over one preloaded application.

Processes because Python computes on one core each; threads because requests mostly wait for PostgreSQL or S3.
"""

import gc
import os
from pathlib import Path
from typing import Any

worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
# The parent imports, the children share its pages until they write to them.
preload_app = os.environ.get("WEB_PRELOAD", "1") == "1"
timeout = 60
graceful_timeout = 3
keepalive = 15
# No request log: the application's own lines carry tenant and request id, which gunicorn does not know.
accesslog = None
errorlog = "-"
loglevel = "warning"
# Not a disk: a slow one would stop the heartbeat and so the worker.
_memory = "/dev/shm"  # noqa: S108 - gunicorn unlinks its file at once
worker_tmp_dir = _memory if Path(_memory).is_dir() else None
# It would be a file in the user's home, the same for every stack.
control_socket_disable = True


def when_ready(_server: object) -> None:
    """Moves what was imported out of the collector's sight, so that collecting does not copy shared pages."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Opens, in the process that will use it and before the first request, what an application keeps open."""
    prepare = getattr(worker.wsgi, "open", None)
    if prepare is not None:
        prepare()
