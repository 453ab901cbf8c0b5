"""Child programs made to misbehave."""
