"""The Serve configuration of a stack: the shipped file with this stack's address and wishes laid over it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK
from integrations.settings import Profile, Settings

_CONSUMER = "DoorConsumer"
_DEFAULT_STAGE, _LIVE = "default_stage", "live"
_SERVE_DEFAULT_PREFIX = "/"


def lay_over(source: Path, target: Path, settings: Settings) -> Sequence[str]:
    """Write the file with the stack's port, its number of consumers, and without applications that are left out.

    Serve's host is loopback whatever `FITMONITOR_HOST` says, because replicas listen on it too;
    `cluster.local.haproxy` moves the public port alone.

    Returns:
        The route prefixes of the applications that take requests.

    Raises:
        CommandError: the file cannot be read, or what is wished for consumers contradicts itself.
    """
    try:
        config: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
        config["http_options"] = {**(config.get("http_options") or {}), "host": LOOPBACK, "port": settings.port}
        left_out = {
            name
            for name, part in ((_DEFAULT_STAGE, settings.default_stage), (_LIVE, settings.live))
            if not part.enabled
        }
        config["applications"] = [app for app in config["applications"] if app["name"] not in left_out]
        prefixes = [app.get("route_prefix", _SERVE_DEFAULT_PREFIX) for app in config["applications"]]
        deployments = [each for app in config.get("applications", []) for each in app.get("deployments", [])]
        for deployment in deployments:
            if deployment["name"] == _CONSUMER and "autoscaling_config" in deployment:
                _scale(deployment["autoscaling_config"], settings)
    except (OSError, yaml.YAMLError, TypeError, AttributeError, KeyError) as error:
        raise CommandError(f"{source} is not a Serve configuration", str(error).splitlines()[0]) from error
    target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return [prefix for prefix in prefixes if prefix is not None]


def _scale(scaling: dict[str, Any], settings: Settings) -> None:
    """Lay the wishes for consumers over what the file says; one bound alone moves the other out of its way."""
    wish = settings.consumers
    if settings.profile is Profile.EMBEDDED:
        fewest = most = 1
    elif wish.min is not None and wish.max is not None and wish.min > wish.max:
        raise CommandError(
            "more consumers at rest than at most",
            "FITMONITOR_CONSUMERS__MIN is greater than FITMONITOR_CONSUMERS__MAX",
        )
    else:
        fewest = wish.min or min(scaling["min_replicas"], wish.max or scaling["max_replicas"])
        most = wish.max or max(scaling["max_replicas"], fewest)
    scaling |= {"min_replicas": fewest, "max_replicas": most}
    if wish.scale_down_after_s is not None:
        scaling["downscale_delay_s"] = wish.scale_down_after_s
