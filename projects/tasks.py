"""The job kinds of this app."""

from projects.domain.exporting import SNAPSHOT_EXPORT, build_export
from projects.domain.freezing import SNAPSHOT, freeze
from projects.domain.import_archives import IMPORT_CHECK, IMPORT_COMMIT
from projects.domain.import_checks import check
from projects.domain.import_commits import commit
from projects.domain.ingest import INGEST, ingest
from tenants import jobs
from tenants.models import Job


def register_kinds() -> None:
    """Makes them known to the workers; called once, when Django is ready."""
    jobs.register(jobs.Kind(name=INGEST, handler=ingest, pool="cpu", lane=Job.Lane.SHORT))
    jobs.register(jobs.Kind(name=SNAPSHOT, handler=freeze, pool="cpu", lane=Job.Lane.SHORT))
    # Minutes, for a large archive: none of these may hold the short lane.
    jobs.register(jobs.Kind(name=IMPORT_CHECK, handler=check, pool="cpu", lane=Job.Lane.LONG))
    jobs.register(jobs.Kind(name=IMPORT_COMMIT, handler=commit, pool="cpu", lane=Job.Lane.LONG))
    jobs.register(jobs.Kind(name=SNAPSHOT_EXPORT, handler=build_export, pool="cpu", lane=Job.Lane.LONG))
