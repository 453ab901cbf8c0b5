"""Django's registration of the app."""

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"
