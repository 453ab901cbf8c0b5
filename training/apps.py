"""Django's registration of the app, and of its job kinds."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"
