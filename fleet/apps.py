"""Django's registration of the app."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleet"
