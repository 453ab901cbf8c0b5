"""The demonstration: two manufacturers, one project, sixty photographs of casings."""
