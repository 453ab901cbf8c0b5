"""Projects, label books, images, their uploads and their ingest: against real PostgreSQL, S3 and decode child."""
