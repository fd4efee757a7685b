"""Gyms as they are now, as streams of server-sent events under `/api/live`."""
