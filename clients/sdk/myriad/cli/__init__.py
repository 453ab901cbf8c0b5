"""The `myriad` command: a noun, a verb, and what the SDK answers, for people or (`--json`) for programs."""
