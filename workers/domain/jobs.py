"""What a customer does with a job."""

import uuid

from tenants import audit, jobs
from tenants.models import Job
from tenants.permissions import Principal
from workers.domain.queries import job_named


def cancel_job(*, job_id: uuid.UUID, by: Principal) -> Job:
    """Cancels a job, once; an ended one stays as it ended. Raises NotFound."""
    before = job_named(job_id)
    job = jobs.cancel(job_id=job_id)
    if before.cancel_requested_at is None and job.cancel_requested_at is not None:
        audit.record("job.canceled", by=by, target=job_id, kind=job.kind)
    return job
