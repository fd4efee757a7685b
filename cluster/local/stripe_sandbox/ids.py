"""Identifiers that look like Stripe's."""

import os
import string

_LETTERS = string.ascii_letters + string.digits
_TAILS = {"cs_test": 58, "req": 14, "li": 24}


def new_id(prefix: str) -> str:
    """A new identifier: `pi_` and 24 letters and digits, of which nobody can guess the next.

    Args:
        prefix: what it names: `cs_test`, `pi`, `ch`, `re`, `dp`, `evt`, `li`, `req`.
    """
    tail = "".join([_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(_TAILS.get(prefix, 24))])
    return f"{prefix}_{tail}"
