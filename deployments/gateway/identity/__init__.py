"""Accounts, sessions, users and their roles."""
