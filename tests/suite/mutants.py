"""placeholder"""

from typing import Any


def add_command(commands: Any) -> None: ...
