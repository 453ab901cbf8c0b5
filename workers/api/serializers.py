"""How a job looks to its customer."""

from typing import Any

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

    queue_place = serializers.IntegerField(allow_null=True)
    eta_seconds = serializers.IntegerField(allow_null=True)

    class Meta(JobSerializer.Meta):
        fields = (*JobSerializer.Meta.fields, "queue_place", "eta_seconds")

    def to_representation(self, job: Job) -> dict[str, Any]:
        """Asks for the place once, for both figures."""
        place = queries.queue_place(job)
        figures = {"queue_place": place, "eta_seconds": queries.eta_seconds(job, place=place)}
        return JobSerializer(job).data | figures
