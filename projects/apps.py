"""Django's registration of the app, of its job kinds, and of how far a project has come."""

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        from projects import tasks  # noqa: PLC0415 - models exist only now
        from projects.domain import milestones  # noqa: PLC0415 - as above

        tasks.register_kinds()
        milestones.register("snapshot", milestones.newest_snapshot)
