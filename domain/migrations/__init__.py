"""Migrations: they bring a database to what the tables of `domain/` say."""
