"""Inspection problems, their label books, images, annotations, snapshots, imports and exports."""

from projects.models.exports import SnapshotExport
from projects.models.images import Image, ImageClass
from projects.models.imports import Import, ImportChunk
from projects.models.labels import Annotation, Box
from projects.models.projects import DefectClass, Project
from projects.models.snapshots import Snapshot

__all__ = [
    "Annotation",
    "Box",
    "DefectClass",
    "Image",
    "ImageClass",
    "Import",
    "ImportChunk",
    "Project",
    "Snapshot",
    "SnapshotExport",
]
