"""Streams the current state of a gym as server-sent events under `/api/live`."""
