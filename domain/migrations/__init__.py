"""How a database becomes what `domain/tables.py` says."""
