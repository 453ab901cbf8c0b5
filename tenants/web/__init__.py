"""The pages: parse, one domain call, answer. Every page of a tenant is a `TenantPage`."""
