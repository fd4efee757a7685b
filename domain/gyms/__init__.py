"""Gyms, gates, devices and opening hours."""
