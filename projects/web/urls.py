"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from projects.api import annotations as annotations_api
from projects.api import exports as exports_api
from projects.api import images as images_api
from projects.api import imports as imports_api
from projects.api import snapshots as snapshots_api
from projects.web import classes, exports, image, images, imports, projects, snapshots, upload
from tenants.web.door import door

urlpatterns = [
    path("projects", projects.ProjectsPage.as_view(), name="projects"),
    path("projects/<uuid:project_id>", projects.ProjectPage.as_view(), name="project"),
    path("projects/<uuid:project_id>/classes", classes.ClassesPage.as_view(), name="classes"),
    path("classes/<uuid:class_id>", classes.ClassPage.as_view(), name="class"),
    path("projects/<uuid:project_id>/images", images.ImagesPage.as_view(), name="images"),
    path("projects/<uuid:project_id>/upload", upload.UploadPage.as_view(), name="upload"),
    path("projects/<uuid:project_id>/imports", imports.ImportsPage.as_view(), name="imports"),
    path("imports/<uuid:import_id>", imports.ImportPage.as_view(), name="import"),
    path("api/imports/<uuid:import_id>/results", door(imports_api.ResultsView), name="import-results"),
    path("projects/<uuid:project_id>/snapshots", snapshots.SnapshotsPage.as_view(), name="snapshots"),
    path("snapshots/<uuid:snapshot_id>", snapshots.SnapshotPage.as_view(), name="snapshot"),
    path("snapshots/<uuid:snapshot_id>/exports", exports.SnapshotExportsPage.as_view(), name="snapshot-exports"),
    path("api/snapshots/<uuid:snapshot_id>/manifest", door(snapshots_api.ManifestView), name="snapshot-manifest"),
    path("api/snapshots/<uuid:snapshot_id>/coco", door(snapshots_api.CocoView), name="snapshot-coco"),
    path("api/exports/<uuid:export_id>/file", door(exports_api.ExportFileView), name="export-file"),
    path("images/<uuid:image_id>", image.ImagePage.as_view(), name="image"),
    path("api/images/<uuid:image_id>/file", door(images_api.ImageFileView), name="image-file"),
    path("api/images/<uuid:image_id>/thumbnail", door(images_api.ThumbnailView), name="thumbnail"),
    path("api/images/<uuid:image_id>", door(images_api.ImageView)),
    path("api/images/<uuid:image_id>/annotations", door(annotations_api.ImageAnnotationsView)),
    path("api/annotations/<uuid:annotation_id>", door(annotations_api.AnnotationView)),
    path("api/projects/<uuid:project_id>/imports", door(imports_api.ImportsView)),
    path("api/imports/<uuid:import_id>/check", door(imports_api.CheckView)),
    path("api/projects/<uuid:project_id>/annotations", door(annotations_api.AnnotateView)),
    path("api/projects/<uuid:project_id>/uploads", door(images_api.UploadsView)),
    path("api/projects/<uuid:project_id>/uploads/complete", door(images_api.CompleteView)),
]
