"""Runs, models and evaluations: the verbs and reads."""
