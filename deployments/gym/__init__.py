"""Gyms, users, and the lists that are read of the database."""
