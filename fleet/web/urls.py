"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
