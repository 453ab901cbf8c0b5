"""What a tenant has, one module a noun: the answer's dataclass and the calls beside it."""
