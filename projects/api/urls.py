"""Addresses below /api/v1/ of this app."""

from django.urls import path

from projects.api import annotations, exports, images, imports, projects, snapshots

urlpatterns = [
    path("projects", projects.ProjectsView.as_view()),
    path("projects/<uuid:project_id>", projects.ProjectView.as_view()),
    path("projects/<uuid:project_id>/classes", projects.ClassesView.as_view()),
    path("classes/<uuid:class_id>", projects.ClassView.as_view()),
    path("projects/<uuid:project_id>/images", images.ImagesView.as_view()),
    path("projects/<uuid:project_id>/images/register", images.RegisterView.as_view()),
    path("projects/<uuid:project_id>/uploads", images.UploadsView.as_view()),
    path("projects/<uuid:project_id>/uploads/complete", images.CompleteView.as_view()),
    path("images/<uuid:image_id>", images.ImageView.as_view()),
    path("images/<uuid:image_id>/file", images.ImageFileView.as_view()),
    path("images/<uuid:image_id>/thumbnail", images.ThumbnailView.as_view()),
    path("projects/<uuid:project_id>/annotations", annotations.AnnotateView.as_view()),
    path("images/<uuid:image_id>/annotations", annotations.ImageAnnotationsView.as_view()),
    path("annotations/<uuid:annotation_id>", annotations.AnnotationView.as_view()),
    path("projects/<uuid:project_id>/statistics", annotations.StatisticsView.as_view()),
    path("projects/<uuid:project_id>/snapshots", snapshots.SnapshotsView.as_view()),
    path("snapshots/<uuid:snapshot_id>", snapshots.SnapshotView.as_view()),
    path("snapshots/<uuid:snapshot_id>/diff", snapshots.SnapshotDiffView.as_view()),
    path("snapshots/<uuid:snapshot_id>/manifest", snapshots.ManifestView.as_view()),
    path("snapshots/<uuid:snapshot_id>/coco", snapshots.CocoView.as_view()),
    path("snapshots/<uuid:snapshot_id>/exports", exports.ExportsView.as_view()),
    path("exports/<uuid:export_id>", exports.ExportView.as_view()),
    path("exports/<uuid:export_id>/file", exports.ExportFileView.as_view()),
    path("projects/<uuid:project_id>/imports", imports.ImportsView.as_view()),
    path("imports/<uuid:import_id>", imports.ImportView.as_view()),
    path("imports/<uuid:import_id>/check", imports.CheckView.as_view()),
    path("imports/<uuid:import_id>/commit", imports.CommitView.as_view()),
    path("imports/<uuid:import_id>/results", imports.ResultsView.as_view()),
]
