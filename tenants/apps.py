"""Django's registration of the app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
