"""Labels from files: read, matched with the project's images, sent in batches, each with its result."""
