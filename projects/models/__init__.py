"""Inspection problems, their label books and their images."""

from projects.models.images import Image, ImageClass
from projects.models.projects import DefectClass, Project

__all__ = ["DefectClass", "Image", "ImageClass", "Project"]
