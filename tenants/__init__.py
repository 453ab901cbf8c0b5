"""Who: tenants, members, API keys, quotas, audit, and the four doors everything passes: scope, storage, jobs, audit."""
