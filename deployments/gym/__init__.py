"""Gyms, gates, devices, machines, pictures, and lists that are read from the database."""
