"""Where models work: deployments, hosted prediction, devices, monitoring."""
