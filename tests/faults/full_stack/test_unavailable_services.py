"""One part of the interface hangs or is killed: what each call answers meanwhile."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import httpx
import psutil
import pytest

from domain.identity.model import Role
from domain.ids import new_id
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole
from tests.waiting import wait_until

pytestmark = [pytest.mark.soak("outages"), pytest.mark.timeout(900)]

# A call waits 5 s for the confirmation of its session and at most 10 s for one deployment.
TIMEOUTS_S = 15.0
TIMES_CALM = 10
CALLS = (
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/me"),
    ("GET", "/me/passes"),
    ("GET", "/me/visits"),
    ("GET", "/gyms"),
    ("GET", "/users"),
    ("POST", "/sessions"),
    ("POST", "/password/forgot"),
)
# Calls that need a deployment answer 503 while it hangs. Without Identity, a session is trusted for 5 s and no longer.
NEEDS_IT: Mapping[str, set[str]] = {
    "Gym": {"/ready", "/me/visits", "/gyms"},
    "QrIssuer": {"/ready", "/me/passes"},
    "QrScanner": {"/ready"},
    "Identity": {"/me", "/me/passes", "/me/visits", "/gyms", "/users", "/sessions", "/password/forgot"},
}


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """Processes that live and do nothing."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@dataclass(frozen=True)
class Asked:
    """What one call was answered, and after how many seconds."""

    path: str
    status: int
    code: str
    took_s: float


def staff(whole: Whole) -> dict[str, str]:
    user_id = new_id()
    token = mint_access_token(
        Settings(data_dir=whole.stack.data_dir),
        sub=user_id,
        email=f"{user_id}@staff.example",
        groups=[Role.STAFF],
        lifetime=timedelta(hours=1),
    )
    return {"Authorization": f"Bearer {token}"}


def ask(whole: Whole, headers: dict[str, str], call: tuple[str, str]) -> Asked:
    method, path = call
    body = {"email": f"{new_id()}@example.org", "password": "wrong"} if method == "POST" else None
    began_at = time.monotonic()
    answer = httpx.request(method, f"{whole.stack.record.url}/api{path}", headers=headers, json=body, timeout=240)
    took_s = time.monotonic() - began_at
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert int(answer.headers["retry-after"]) >= 1
    code = answer.json().get("code", "") if answer.status_code >= httpx.codes.BAD_REQUEST else ""
    return Asked(path, answer.status_code, code, took_s)


def ask_all(whole: Whole, headers: dict[str, str]) -> dict[str, Asked]:
    with ThreadPoolExecutor(len(CALLS)) as threads:
        return {asked.path: asked for asked in threads.map(lambda call: ask(whole, headers, call), CALLS)}


def calm(whole: Whole, headers: dict[str, str]) -> float:
    """How long the slowest call takes once all are answered as ever, in s."""
    answers: dict[str, Asked] = {}

    def as_ever() -> bool:
        answers.update(ask_all(whole, headers))
        return {asked.status for asked in answers.values()} <= {200, 202, 401}

    wait_until(as_ever)
    return max(asked.took_s for asked in answers.values())


@pytest.mark.parametrize("deployment", ["Gym", "QrIssuer", "QrScanner", "Identity"])
def test_while_a_service_hangs_its_calls_say_when_to_retry_and_the_others_work(
    deployment: str, whole: Whole, figures: Figures
) -> None:
    headers = staff(whole)
    no_longer_than_s = TIMEOUTS_S + TIMES_CALM * calm(whole, headers)
    with frozen(whole.replicas(deployment)):
        ask_all(whole, headers)  # until nothing is believed any more
        during = ask_all(whole, headers)
    for asked in during.values():
        figures.tell(asked.path, f"{asked.status} {asked.code} after {asked.took_s:.2f} s")
    calm(whole, headers)
    for path, asked in during.items():
        assert asked.took_s < no_longer_than_s, asked
        if path in NEEDS_IT[deployment]:
            assert (asked.status, asked.code) in {(503, "unavailable"), (503, "")}, asked
        else:
            assert asked.status in {200, 202, 401}, asked


def test_while_killed_services_restart_every_call_is_answered_or_says_when_to_retry(
    whole: Whole, figures: Figures
) -> None:
    headers = staff(whole)
    no_longer_than_s = TIMEOUTS_S + TIMES_CALM * calm(whole, headers)
    victims = {deployment: whole.replicas(deployment) for deployment in NEEDS_IT}
    for victim in (process for processes in victims.values() for process in processes):
        victim.kill()
    during = ask_all(whole, headers)
    for asked in during.values():
        figures.tell(asked.path, f"{asked.status} {asked.code} after {asked.took_s:.2f} s")
    for deployment, processes in victims.items():
        whole.wait_replicas(deployment, len(processes), besides=processes)
    calm(whole, headers)
    for asked in during.values():
        assert asked.status in {200, 202, 401, 503}, asked
        assert asked.took_s < no_longer_than_s, asked
