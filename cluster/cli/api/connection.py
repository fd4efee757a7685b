"""Which installation a command calls, and as which user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx

from cluster.cli.api.client import Api
from cluster.cli.api.errors import UsageError
from cluster.cli.api.local_users import access_token
from cluster.errors import CommandError
from cluster.settings_file import running_stack, stack_settings

URL, TOKEN, AS = "FITMONITOR_URL", "FITMONITOR_TOKEN", "FITMONITOR_AS"

_TIMEOUT = httpx.Timeout(40.0, connect=5.0)  # the gateway gives payments 27 s


@dataclass(frozen=True, slots=True)
class Target:
    """An installation and the access token for it.

    Args:
        url: as `http://127.0.0.1:8000`.
        token: an access token.
        ends_session: whether the token was made for this command, so that its session ends with the command.
    """

    url: str
    token: str
    ends_session: bool


@contextmanager
def connected() -> Iterator[Api]:
    """The API, for one command.

    Raises:
        CommandError: no stack is running, there is no user to act as, or a call fails.
    """
    target = _target()
    headers = {"Authorization": f"Bearer {target.token}", "User-Agent": "fitmonitor command line"}
    # A proxy of the environment is for the internet, and would see the token.
    with httpx.Client(base_url=f"{target.url}/api", headers=headers, trust_env=False, timeout=_TIMEOUT) as client:
        try:
            yield Api(client)
        finally:
            if target.ends_session:
                with suppress(httpx.HTTPError):
                    client.delete("/sessions/current")


def _target() -> Target:
    token = os.environ.get(TOKEN, "").strip()
    email = os.environ.get(AS, "").strip()
    if token and email:
        raise UsageError(f"both {TOKEN} and --as (or {AS}) name the user to act as", "leave one of them out")
    url = os.environ.get(URL, "").strip()
    if url:
        if not token:
            raise CommandError(f"there is no token for {url}", f"set {TOKEN} to an access token of an admin")
        return Target(_base_url(url), token, ends_session=False)
    url = running_stack().url
    if token:
        return Target(url, token, ends_session=False)
    return Target(url, access_token(stack_settings(), email), ends_session=True)


def _base_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise UsageError(f"{URL} is not an HTTP address: {url}", "write it like https://gym.example.org")
    return url.rstrip("/").removesuffix("/api")
