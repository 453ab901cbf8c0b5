"""Django's registration of the app, and of how far a project has come."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleet"

    def ready(self) -> None:
        from fleet.domain import queries  # noqa: PLC0415 - models exist only now
        from projects.domain import milestones  # noqa: PLC0415 - as above

        milestones.register("promote", queries.newest_promoted_model)
