"""The benchmark: how fast a stack answers scans, next to deployments of the same Serve that do nothing."""
