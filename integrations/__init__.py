"""External systems, each behind a port of the domain."""
