"""Attendance: computes facts as Ray tasks."""
