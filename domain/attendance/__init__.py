"""Attendance: the archive of scans, visits, machine uses and head counts, its figures, and the forecast."""
