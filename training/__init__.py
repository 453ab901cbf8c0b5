"""Runs, models and evaluations; `training/vision/` is plain PyTorch that knows nothing of Django."""
