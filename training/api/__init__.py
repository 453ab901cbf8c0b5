"""The HTTP doors: parse, one domain call, answer."""
