"""Pages of projects: label book, upload, gallery, the image with its boxes, import, snapshots."""
