"""Backup and restore: everything that a stack keeps, in one file."""
