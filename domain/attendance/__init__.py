"""Attendance: what is archived of scans, visits, machines and head counts, and what follows from it."""
