"""How a job looks to its customer."""

from rest_framework import serializers

from tenants.models import Job
from workers.domain import queries


class JobSerializer(serializers.ModelSerializer[Job]):
    class Meta:
        model = Job
        fields: tuple[str, ...] = (
            *("id", "kind", "state", "attempts", "max_attempts", "progress", "result", "error"),
            *("created_at", "started_at", "finished_at", "cancel_requested_at"),
        )


class JobDetailSerializer(JobSerializer):
    """With its place in the queue, which a list does not ask for row by row."""

    queue_place = serializers.SerializerMethodField()
    eta_seconds = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = (*JobSerializer.Meta.fields, "queue_place", "eta_seconds")

    def get_queue_place(self, job: Job) -> int | None:
        return queries.queue_place(job)

    def get_eta_seconds(self, job: Job) -> int | None:
        return queries.eta_seconds(job, place=queries.queue_place(job))
