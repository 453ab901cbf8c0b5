"""What: projects, label book, images, and their import."""
