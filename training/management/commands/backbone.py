"""`manage.py backbone`: the shared backbones' weights and graphs, made once on each machine that trains or predicts."""

import importlib
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from training.domain.recipes import backbones


class Command(BaseCommand):
    help = "Converts the backbones' weights and builds their graphs into BACKBONE_DIR. Repeatable."
    requires_system_checks = ()

    def handle(self, **_options: Any) -> None:
        # Imported here alone: converting needs torch, which neither web process nor worker loads.
        vision = importlib.import_module("training.vision.backbones")
        settings.BACKBONE_DIR.mkdir(parents=True, exist_ok=True)
        for name in backbones():
            path = vision.prepare_backbone(name, settings.BACKBONE_DIR)
            self.stdout.write(f"The backbone {name} is in place: {path}")
