"""The commands that manage a gym are clients of the HTTP API: connection, calls, refusals, names, listings."""
