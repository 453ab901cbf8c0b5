"""One module a noun, one keyword-only function a verb."""
