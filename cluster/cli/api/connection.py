"""Which installation a command asks, and as whom."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx

from cluster.cli.api.client import Api
from cluster.cli.api.errors import WrongUseError
from cluster.cli.api.local_users import token_for
from cluster.errors import CommandError
from cluster.settings_file import running_stack, stack_settings

URL, TOKEN, AS = "FITMONITOR_URL", "FITMONITOR_TOKEN", "FITMONITOR_AS"

_TIMEOUT = httpx.Timeout(40.0, connect=5.0)  # the gateway gives payments 27 s


@dataclass(frozen=True, slots=True)
class Where:
    """An installation, and who asks it.

    Args:
        url: as `http://127.0.0.1:8000`.
        token: an access token.
        is_ours: it was made for this command, so its session ends with it.
    """

    url: str
    token: str
    is_ours: bool


@contextmanager
def connected() -> Iterator[Api]:
    """The API, for one command.

    Raises:
        CommandError: there is no stack, nobody to ask as, or what the calls raise.
    """
    where = _where()
    headers = {"Authorization": f"Bearer {where.token}", "User-Agent": "fitmonitor command line"}
    # A proxy of the environment is for the internet, and would see the token.
    with httpx.Client(base_url=f"{where.url}/api", headers=headers, trust_env=False, timeout=_TIMEOUT) as client:
        try:
            yield Api(client)
        finally:
            if where.is_ours:
                with suppress(httpx.HTTPError):
                    client.delete("/sessions/current")


def _where() -> Where:
    token = os.environ.get(TOKEN, "").strip()
    email = os.environ.get(AS, "").strip()
    if token and email:
        raise WrongUseError(f"both {TOKEN} and --as (or {AS}) say who asks", "leave one of them out")
    url = os.environ.get(URL, "").strip()
    if url:
        if not token:
            raise CommandError(f"nobody is named who asks {url}", f"set {TOKEN} to an access token of an admin")
        return Where(_checked(url), token, is_ours=False)
    url = running_stack().url
    return Where(url, token, is_ours=False) if token else Where(url, token_for(stack_settings(), email), is_ours=True)


def _checked(url: str) -> str:
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        read = httpx.URL("")
    if read.scheme not in {"http", "https"} or not read.host:
        raise WrongUseError(f"{URL} is no address: {url}", "write it as in https://gym.example.org")
    return url.rstrip("/").removesuffix("/api")
