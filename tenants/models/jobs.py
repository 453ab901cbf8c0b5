"""Background work: the row is the queue (DESIGN §4); the broker only carries wake-ups."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.models.base import TenantModel


class Job(TenantModel):
    """One unit of background work of one tenant."""

    class State(models.TextChoices):
        """PENDING → DISPATCHED → RUNNING → SUCCEEDED | FAILED | CANCELED; back to PENDING when a lease runs out."""

        PENDING = "PENDING"
        DISPATCHED = "DISPATCHED"
        RUNNING = "RUNNING"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        CANCELED = "CANCELED"

    class Lane(models.TextChoices):
        """A short job may use the slots of a pool that long ones may not."""

        SHORT = "SHORT"
        LONG = "LONG"

    ACTIVE = (State.PENDING, State.DISPATCHED, State.RUNNING)

    kind = models.CharField(max_length=40)
    # Idempotency: one active job a (kind, key).
    key = models.CharField(max_length=200)
    pool = models.CharField(max_length=40)
    lane = models.CharField(max_length=5, choices=Lane.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    spec = models.JSONField(default=dict)
    progress = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    # For operators only; never serialised.
    traceback = models.TextField(default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=5)
    # Grows with each lease; whoever writes must hold the newest (Kleppmann's fencing token).
    token = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=200, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Not before: set back after a failed attempt.
    due_at = models.DateTimeField(default=timezone.now)
    # The end of the dispatch's grace while DISPATCHED, of the lease while RUNNING.
    expires_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "kind", "key"],
                condition=Q(state__in=["PENDING", "DISPATCHED", "RUNNING"]),
                name="job_key_active_unique",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["PENDING", "DISPATCHED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]),
                name="job_state_valid",
            ),
            models.CheckConstraint(condition=Q(lane__in=["SHORT", "LONG"]), name="job_lane_valid"),
        ]
        indexes = [
            # Oldest first. By `created_at`, not `id`: no other index has that order, so that the claim's plan can never
            # walk past a tenant's finished jobs.
            models.Index(
                fields=["tenant_id", "pool", "created_at", "id"], condition=Q(state="PENDING"), name="job_waiting"
            ),
            models.Index(
                fields=["tenant_id", "pool", "created_at", "id"],
                condition=Q(state="PENDING", lane="SHORT"),
                name="job_waiting_short",
            ),
            # A worker is sent the id alone, and asks a definer function whose job it is.
            models.Index(fields=["id"], name="job_lookup"),
            models.Index(fields=["expires_at"], condition=Q(state__in=["DISPATCHED", "RUNNING"]), name="job_expiring"),
        ]


class TenantQueue(TenantModel):
    """One tenant's place in one pool: weighted fair queueing by virtual time.

    The tenant of least `virtual_time` is served next, and each claim adds 1 / `weight`. Locked after
    the job whose state changes, so that the counters are exact and no two transactions wait for each other.
    """

    pool = models.CharField(max_length=40)
    virtual_time = models.FloatField(default=0)
    weight = models.FloatField(default=1)
    running_cap = models.PositiveIntegerField(default=4)
    running = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "pool"], name="tenant_queue_unique"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="tenant_queue_weight_positive"),
        ]
        indexes = [
            models.Index(
                fields=["pool", "virtual_time"], condition=Q(waiting__gt=0), name="tenant_queue_turn"
            ),  # the dispatcher's question, across tenants
        ]


class Pool(models.Model):
    """A named group of workers, with what the dispatcher knows of it. Holds nothing of any tenant."""

    name = models.CharField(max_length=40, primary_key=True)
    # The highest virtual time that was served: a tenant that had nothing to claim goes on from here, not from the past.
    clock = models.FloatField(default=0)
    # Slots that only jobs of the short lane may take.
    short_slots = models.PositiveIntegerField(default=1)
    # Moving average of how long a job runs, for the customer's ETA.
    service_seconds = models.FloatField(default=2)
