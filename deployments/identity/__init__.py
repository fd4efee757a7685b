"""Accounts: sign-up, sign-in, sessions, roles. It alone speaks to the identity provider."""
