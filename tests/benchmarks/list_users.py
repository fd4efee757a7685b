"""`list_users` over many users: on the local provider, and on moto's Cognito over HTTP, as GetAllUsers asks for them.

Run `python -m tests.benchmarks.list_users [USERS]`, 10,000 by default.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.clock import system_clock
from domain.identity.model import Role
from domain.identity.ports import Account, Directory
from domain.ids import new_id
from integrations.cognito.directory import CognitoDirectory
from integrations.local_identity.provider import LocalProvider
from lambdas.list_users.handler import handle
from tests.mailbox import Mailbox
from tests.moto_server import moto_server, new_pool
from tests.unit.integrations.local_identity.harness import light_settings
from tests.unit.lambdas.pool import Pool, call, claims_of, read

AT_ONCE = 1000


def everybody(directory: Directory, admin: UUID) -> tuple[int, int]:
    """How many users are listed, and in how many parts."""
    listed, parts, after = 0, 0, None
    while True:
        query = {"limit": str(AT_ONCE), **({"after": after} if after else {})}
        body = read(handle(call(claims_of(admin, Role.ADMIN), query), directory))
        listed, parts, after = listed + len(body["items"]), parts + 1, body["next"]
        if after is None:
            return listed, parts


def measure(name: str, directory: Directory, admin: UUID, calls: Callable[[], int] = lambda: 0) -> None:
    """Print one line."""
    before, began_at, began_cpu = calls(), time.perf_counter(), time.process_time()
    listed, parts = everybody(directory, admin)
    took, cpu = time.perf_counter() - began_at, time.process_time() - began_cpu
    cognito = f", {calls() - before} calls of Cognito" if calls() else ""
    sys.stdout.write(f"{name}: {listed} users in {parts} parts{cognito}: {took:.2f} s, CPU here {cpu:.2f} s\n")


def on_local_provider(number: int) -> None:
    """The local provider's file."""
    with tempfile.TemporaryDirectory() as folder:
        provider = LocalProvider(light_settings(Path(folder)), Mailbox())
        now = system_clock()
        accounts = [
            Account(new_id(), f"m{one}@example.org", f"M {one}", enabled=True, confirmed=True, created_at=now)
            for one in range(number - 1)
        ]
        admin = new_id()
        boss = Account(
            admin, "boss@example.org", "Boss", enabled=True, confirmed=True, created_at=now, groups=("Admin",)
        )
        provider.add_accounts([*accounts, boss])
        measure("local provider", provider, admin)
        provider.close()


def on_moto(number: int) -> None:
    """moto's Cognito; its own time is in the figure, and none of a network."""
    with moto_server() as url:
        pool = Pool(new_pool(url))
        admin = pool.user("boss@example.org", Role.ADMIN)
        for one in range(number - 1):
            pool.user(f"m{one}@example.org")
        made = 0

        def count(**_: Any) -> None:  # noqa: ANN401 - botocore's own
            nonlocal made
            made += 1

        pool.client.meta.events.register("before-call.cognito-identity-provider.*", count)
        pool.client.list_users(UserPoolId=pool.id, Limit=1)
        measure("moto", CognitoDirectory(pool.id, client=pool.client), admin, lambda: made)


if __name__ == "__main__":
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    on_local_provider(users)
    on_moto(users)
