"""Django's registration of the app, and of its job kinds."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        from training import tasks  # noqa: PLC0415 - models exist only now

        tasks.register_kinds()
