"""Scans, visits, and who is inside."""
