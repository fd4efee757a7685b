"""Attendance: figures about visits, machines and refusals, computed from the archive."""
