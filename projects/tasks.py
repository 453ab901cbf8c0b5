"""The job kinds of this app."""

from projects.domain.freezing import SNAPSHOT, freeze
from projects.domain.ingest import INGEST, ingest
from tenants import jobs
from tenants.models import Job


def register_kinds() -> None:
    """Makes them known to the workers; called once, when Django is ready."""
    jobs.register(jobs.Kind(name=INGEST, handler=ingest, pool="cpu", lane=Job.Lane.SHORT))
    jobs.register(jobs.Kind(name=SNAPSHOT, handler=freeze, pool="cpu", lane=Job.Lane.SHORT))
