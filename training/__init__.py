"""Runs, models and evaluations; `training/vision/` will be plain PyTorch that knows nothing of Django."""
