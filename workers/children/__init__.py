"""Child programs: they compute without network, database or secrets, where a crash or malice does no harm."""
