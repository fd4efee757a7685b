"""The Serve configuration of a stack: the shipped file with the stack's address and settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK
from integrations.settings import Profile, Settings

_CONSUMER = "DoorConsumer"
_DEFAULT_STAGE, _LIVE, _ARCHIVE = "default_stage", "live", "archive"
_DEFAULT_PREFIX = "/"


def write_serve_config(source: Path, target: Path, settings: Settings) -> Sequence[str]:
    """Write the configuration with the stack's port and number of consumers, without disabled applications.

    Serve's host is always loopback, because the replicas listen on it too; `cluster.local.haproxy` binds the public
    port to `FITMONITOR_HOST`.

    Returns:
        The route prefixes of the applications that serve HTTP.

    Raises:
        CommandError: the file cannot be read, or the settings for consumers contradict each other.
    """
    try:
        config: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
        config["http_options"] = {**(config.get("http_options") or {}), "host": LOOPBACK, "port": settings.port}
        optional = {
            _DEFAULT_STAGE: settings.default_stage.enabled,
            _LIVE: settings.live.enabled,
            _ARCHIVE: settings.archive.enabled,
        }
        config["applications"] = [app for app in config["applications"] if optional.get(app["name"], True)]
        prefixes = [app.get("route_prefix", _DEFAULT_PREFIX) for app in config["applications"]]
        deployments = [each for app in config["applications"] for each in app.get("deployments", [])]
        for deployment in deployments:
            if deployment["name"] == _CONSUMER and "autoscaling_config" in deployment:
                _scale(deployment["autoscaling_config"], settings)
    except (OSError, yaml.YAMLError, TypeError, AttributeError, KeyError) as error:
        raise CommandError(f"{source} is not a Serve configuration", str(error).splitlines()[0]) from error
    target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return [prefix for prefix in prefixes if prefix is not None]


def _scale(scaling: dict[str, Any], settings: Settings) -> None:
    """Apply the settings for consumers; if only one bound is set, the other one is adjusted to it."""
    consumers = settings.consumers
    if settings.profile is Profile.EMBEDDED:
        fewest = most = 1
    elif consumers.min is not None and consumers.max is not None and consumers.min > consumers.max:
        raise CommandError(
            f"the minimum of {consumers.min} consumers exceeds the maximum of {consumers.max}",
            "change FITMONITOR_CONSUMERS__MIN or FITMONITOR_CONSUMERS__MAX",
        )
    else:
        fewest = consumers.min or min(scaling["min_replicas"], consumers.max or scaling["max_replicas"])
        most = consumers.max or max(scaling["max_replicas"], fewest)
    scaling |= {"min_replicas": fewest, "max_replicas": most}
    if consumers.scale_down_after_s is not None:
        scaling["downscale_delay_s"] = consumers.scale_down_after_s
