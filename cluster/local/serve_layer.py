"""The Serve configuration of a stack: the shipped file with this stack's address laid over it."""

from pathlib import Path
from typing import Any

import yaml

from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK


def lay_over(source: Path, target: Path, port: int) -> None:
    """Write the file with the stack's port.

    Serve's host is loopback whatever `FITMONITOR_HOST` says, because replicas listen on it too;
    `cluster.local.haproxy` moves the public port alone.

    Raises:
        CommandError: the file cannot be read.
    """
    try:
        config: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
        config["http_options"] = {**(config.get("http_options") or {}), "host": LOOPBACK, "port": port}
    except (OSError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise CommandError(f"{source} is not a Serve configuration", str(error).splitlines()[0]) from error
    target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
