"""Fixtures that any test may ask for."""

from tests.servers import kafka, mariadb, server_dir

__all__ = ["kafka", "mariadb", "server_dir"]
