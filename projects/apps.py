"""Django's registration of the app, and of its job kinds."""

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        from projects import tasks  # noqa: PLC0415 - models exist only now

        tasks.register_kinds()
