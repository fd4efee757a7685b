"""Accounts at a stack of real servers, an SMTP server among them, with two replicas of the gateway."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.accounts import Accounts
from tests.stacks import TestedStack

pytestmark = [pytest.mark.soak("replicas"), pytest.mark.timeout(900)]


@pytest.fixture
def real() -> Iterator[TestedStack]:
    # Not pytest's own temporary folder: that is closed to the user that MariaDB runs as.
    folder = Path(tempfile.mkdtemp(prefix="fm-gateways-"))
    folder.chmod(0o711)
    stack = TestedStack(folder, profile="full")
    try:
        stack.start()
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def test_who_signs_out_at_one_gateway_is_signed_out_at_the_other(real: TestedStack) -> None:
    real.redeploy(_two_gateways)
    with httpx.Client(base_url=f"{real.record.url}/api", timeout=20) as client:
        accounts = Accounts(client, real.data_dir)
        accounts.sign_up("mia@example.org")
        headers = accounts.sign_in("mia@example.org")
        assert client.get("/me", headers=headers).json()["name"] == "Mia Ruiz"
        accounts.everywhere(headers, "/me", 200)
        assert client.delete("/sessions/current", headers=headers).status_code == 204
        accounts.everywhere(headers, "/me", 401)


def _two_gateways(config: dict[str, Any]) -> None:
    gateway = next(one for app in config["applications"] for one in app["deployments"] if one["name"] == "Gateway")
    gateway.pop("autoscaling_config", None)
    gateway["num_replicas"] = 2
