"""Who does the work: fair dispatch, leases, children, draining."""
