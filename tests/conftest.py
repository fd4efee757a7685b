"""Fixtures that any test may ask for."""

from hypothesis import settings

from tests.servers import kafka, mariadb, server_dir

__all__ = ["kafka", "mariadb", "server_dir"]

# How long an example takes says how busy the machine is, nothing of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
