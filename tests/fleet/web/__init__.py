"""Pages of which model answers."""
