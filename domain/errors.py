"""Errors that mean the same in every area."""


class UnavailableError(Exception):
    """A system that we depend on does not respond now. The same call may succeed later."""
