"""Alembic migrations: they bring a database to the schema of the tables in `domain/`."""
