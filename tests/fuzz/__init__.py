"""Fuzzing: requests drawn from the checked-in schema, sent to real processes with two tenants' keys."""
