"""Django's registration of the app, of its job kinds, and of how far a project has come."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        from projects.domain import milestones  # noqa: PLC0415 - models exist only now
        from training import tasks  # noqa: PLC0415 - as above
        from training.domain import queries  # noqa: PLC0415 - as above

        tasks.register_kinds()
        milestones.register("run", queries.newest_run_state)
        milestones.register("model", queries.newest_model)
