"""`celery -A tests.chaos.kinds`: the real worker, with job kinds that do nothing but take time."""

import time
from typing import Any

from config.celery import app
from tenants import jobs
from tenants.models import Job

__all__ = ["app"]


def nap(context: jobs.JobContext) -> dict[str, Any]:
    """Sleeps for `seconds` of the spec, looking up ten times a second."""
    until = time.monotonic() + float(context.spec.get("seconds", 0))
    while time.monotonic() < until:
        context.check()
        time.sleep(min(0.1, max(until - time.monotonic(), 0)))
    return {"token": context.token}


jobs.register(jobs.Kind(name="nap", handler=nap, pool="cpu", lane=Job.Lane.SHORT))
jobs.register(jobs.Kind(name="long_nap", handler=nap, pool="cpu", lane=Job.Lane.LONG))
