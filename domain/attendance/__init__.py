"""Attendance: how full gyms were, and how full they will be."""
