"""Measured figures, as ratios against a peer or a limit of the same run. Not part of `make test`."""
