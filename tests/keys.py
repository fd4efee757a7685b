"""A key that signs tokens, for all tests of a worker.

Making one takes longer than most tests, and reading one half as long.
"""

import atexit
import tempfile
from functools import cache
from pathlib import Path

from integrations.local_identity.keys import ensure_signing_key


@cache
def signing_keys() -> Path:
    """The folder of the one key. A test that adds keys or takes them away has a folder of its own."""
    folder = tempfile.TemporaryDirectory(prefix="fm-keys-")
    atexit.register(folder.cleanup)
    ensure_signing_key(Path(folder.name))
    return Path(folder.name)


def key_id() -> str:
    """The id of that key."""
    [key] = signing_keys().glob("*.pem")
    return key.stem
