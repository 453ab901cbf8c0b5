"""The job kinds of this app."""

from tenants import jobs
from tenants.models import Job
from training.domain.models import EXPORT
from training.domain.runs import TRAIN
from training.exporter import export
from training.runner import train


def register_kinds() -> None:
    """Makes them known to the workers; called once, when Django is ready."""
    jobs.register(jobs.Kind(name=TRAIN, handler=train, pool="cpu", lane=Job.Lane.LONG, max_attempts=3))
    jobs.register(jobs.Kind(name=EXPORT, handler=export, pool="cpu", lane=Job.Lane.SHORT))
