"""Django's registration of the app, of how far a project has come, and of which model answers."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleet"

    def ready(self) -> None:
        from fleet.domain import queries  # noqa: PLC0415 - models exist only now
        from projects.domain import milestones  # noqa: PLC0415 - as above
        from training.domain import answering  # noqa: PLC0415 - as above

        milestones.register("promote", queries.newest_promoted_model)
        answering.register_reader(queries.answered)
