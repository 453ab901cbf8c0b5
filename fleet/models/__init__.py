"""Where models work."""

from fleet.models.deployments import Promotion

__all__ = ["Promotion"]
