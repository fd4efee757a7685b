"""Attendance: figures computed from the archive as Ray tasks."""
