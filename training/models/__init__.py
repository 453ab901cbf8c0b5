"""Runs, the models they publish, and how good those are."""

from training.models.models import Evaluation, Model
from training.models.runs import Run

__all__ = ["Evaluation", "Model", "Run"]
