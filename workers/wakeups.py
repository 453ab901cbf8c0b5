"""The Celery app: it carries wake-ups (a job's id) from the dispatcher to a worker, and is trusted with nothing else.

A message that is lost, doubled or late does no harm: the row is the queue, and the lease decides. The settings follow
from that:

- acknowledged late, so that a worker whose threads are all busy fetches nothing that an idle one would start at once
  (acknowledged early, a message left the window as its job began, and the next was fetched to wait behind it). What
  comes back after the broker's visibility time-out has expired, and would find no job to take;
- expiring with the dispatch's grace, because by then the job has been given out anew;
- no results, events, gossip or remote control, because PostgreSQL knows all of it.
"""

import uuid

import redis
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

TASK = "workers.run_job"

app = Celery("myriad", broker=settings.REDIS_URL, set_as_current=True)
app.conf.update(
    task_acks_late=True,
    # A broken connection to the broker says nothing about the job; the lease does.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue="pool.cpu",
    # One message a thread, running ones included.
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Seconds and counts. A broker that does not answer must not hold the dispatcher's turn: one that is down is
    # reported at once (kombu would try for six seconds a message), one that hangs after these times.
    broker_transport_options={
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "retry_on_timeout": True,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    },
)


def send(*, job_id: uuid.UUID, pool: str) -> None:
    """Wakes a worker of `pool`. Raises OSError when the broker does not take the message."""
    try:
        # By the queue's name alone: Celery then sends through the anonymous exchange, which needs no bindings, so a
        # flushed broker has lost none. (With `exchange=""` and a routing key it takes the default queue instead.)
        app.send_task(
            TASK, args=[str(job_id)], queue=f"pool.{pool}", expires=settings.JOB_DISPATCH_SECONDS, retry=False
        )
    except (OperationalError, redis.RedisError) as error:
        raise OSError(f"broker: {type(error).__name__}") from error
