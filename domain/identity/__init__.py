"""Users, roles, sessions, and personal data."""
