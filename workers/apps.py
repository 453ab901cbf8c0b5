"""Django's registration of the app, and of its forecasts."""

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        from tenants import jobs  # noqa: PLC0415 - models exist only now
        from workers.domain import queries  # noqa: PLC0415 - likewise

        jobs.register_forecaster(queries.forecast)
