"""Gyms, opening hours, gates, devices."""
