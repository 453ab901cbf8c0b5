"""Addresses of this app's pages, below /t/<slug>/."""

from django.urls import path

from projects.web import images, imports, projects, snapshots, upload

urlpatterns = [
    path("projects", projects.ProjectsPage.as_view(), name="projects"),
    path("projects/<uuid:project_id>", projects.ProjectPage.as_view(), name="project"),
    path("projects/<uuid:project_id>/images", images.ImagesPage.as_view(), name="images"),
    path("projects/<uuid:project_id>/upload", upload.UploadPage.as_view(), name="upload"),
    path("projects/<uuid:project_id>/imports", imports.ImportsPage.as_view(), name="imports"),
    path("projects/<uuid:project_id>/snapshots", snapshots.SnapshotsPage.as_view(), name="snapshots"),
]
