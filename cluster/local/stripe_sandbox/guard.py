"""The sandbox stands beside no real money: it refuses a live key wherever it meets one."""

from collections.abc import Mapping

LIVE = ("sk_live_", "rk_live_", "pk_live_")
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def refuse_start(environment: Mapping[str, str], webhook_url: str) -> str | None:
    """Why the sandbox does not start in an environment; None when it may. No value is repeated."""
    for name, value in sorted(environment.items()):
        if ("STRIPE" in name) and value.strip().startswith(LIVE):
            return f"{name} holds a live key: the sandbox does not run beside real money"
    if webhook_url and not any(
        webhook_url == each or webhook_url.startswith((f"{each}:", f"{each}/")) for each in _LOOPBACK
    ):
        return "webhooks of the sandbox go to this machine only (FITMONITOR_STRIPE__WEBHOOK_URL)"
    return None


def is_live(key: str) -> bool:
    """Whether a key is for real money."""
    return key.startswith(LIVE)
