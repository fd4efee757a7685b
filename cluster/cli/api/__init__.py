"""The client of the HTTP API that the commands use: connection, calls, errors, lookup by name, shared options."""
