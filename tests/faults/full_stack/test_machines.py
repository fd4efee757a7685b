"""Kafka is away while machines are used, and the store of pictures while one is made."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from uuid import UUID, uuid4

import httpx
import psutil
import pytest
from PIL import Image
from sqlalchemy import insert, select

from domain.clock import system_clock
from domain.door.reconcile import disagreements
from domain.door.tables import machine_uses, open_machine_uses, open_visits
from domain.identity.model import Role
from domain.machines.tables import machines
from domain.passes import issue_times
from integrations.local_identity.tokens import mint_access_token
from integrations.pass_keys import PassSigner
from integrations.settings import DoorSettings, Settings
from tests.faults.full_stack.full_stack import Whole

pytestmark = [pytest.mark.soak("outages"), pytest.mark.timeout(900)]

# Of the gateway's question to Gym where the machine is, and of its question to the door.
TIMEOUTS_S = 5.0 + DoorSettings().deadline_s
TIMES_CALM = 10


def bearer(whole: Whole, user_id: UUID, *roles: Role) -> dict[str, str]:
    settings = Settings(data_dir=whole.stack.data_dir)
    hour = timedelta(hours=1)
    token = mint_access_token(settings, sub=user_id, email=f"{user_id}@example.org", groups=list(roles), lifetime=hour)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client(whole: Whole) -> Iterator[httpx.Client]:
    whole.wait_ready()
    with httpx.Client(base_url=f"{whole.stack.record.url}/api", timeout=240, trust_env=False) as client:
        yield client


def machine(whole: Whole, gym_id: UUID) -> UUID:
    machine_id = uuid4()
    with whole.store.writing() as connection:
        highest = connection.execute(
            select(machines.c.legacy_number).order_by(machines.c.legacy_number.desc())
        ).scalar()
        connection.execute(
            insert(machines).values(
                id=machine_id,
                legacy_number=(highest or 0) + 1,
                gym_id=gym_id,
                name="Rower",
                type="rower",
                description="",
                version=1,
                created_at=system_clock(),
            )
        )
    return machine_id


def enter(whole: Whole, client: httpx.Client) -> tuple[UUID, UUID]:
    """A member who is inside, and the gym."""
    device, signer = whole.gyms.devices[0], PassSigner(whole.stack.data_dir / "keys" / "passes")

    def scan(member: UUID, direction: str) -> str:
        body = {
            "code": signer.sign(member, issue_times(system_clock())[0]),
            "gate_id": str(device.gate_id),
            "direction": direction,
            "scan_id": str(uuid4()),
        }
        headers = {"Authorization": f"Device {device.credential}"}
        return str(client.post("/scans", json=body, headers=headers).json().get("outcome"))

    with whole.store.reading() as connection:
        inside = connection.execute(
            select(open_visits.c.member_id).where(open_visits.c.gym_id == device.gym_id)
        ).scalars()
        leaving = [member for member in inside if member is not None]
    # The doors of other tests may have filled the gym, and a member may have shown this code to them.
    assert not leaving or any(scan(member, "leave") == "left" for member in leaving)
    for member in whole.gyms.members:
        if scan(member, "enter") == "entered":
            return member, device.gym_id
    raise AssertionError("nobody gets in")


def decided(client: httpx.Client, path: str, headers: dict[str, str], wish: dict[str, str] | None = None) -> str:
    """The outcome of a wish that is repeated under its id until it is decided; put anew where that came too late."""
    while True:
        wish = wish or {"request_id": str(uuid4())}
        answer = client.post(path, json=wish, headers=headers)
        if answer.status_code == httpx.codes.OK:
            if answer.json()["reason"] != "too_late":
                return str(answer.json()["outcome"])
            wish = None
        time.sleep(0.3)


def test_a_command_that_kafka_did_not_accept_is_repeated_under_its_id_and_decided_once(
    whole: Whole, client: httpx.Client
) -> None:
    member, gym_id = enter(whole, client)
    headers = bearer(whole, member, Role.USER)
    other_id, machine_id = machine(whole, gym_id), machine(whole, gym_id)
    asked_at = time.monotonic()
    assert decided(client, f"/machines/{other_id}/use", headers) == "used"
    assert decided(client, f"/machines/{other_id}/release", headers) == "released"
    calm_s = time.monotonic() - asked_at
    wish = {"request_id": str(uuid4())}
    whole.kafka.kill()
    try:
        asked_at = time.monotonic()
        away = client.post(f"/machines/{machine_id}/use", json=wish, headers=headers)
        assert time.monotonic() - asked_at < TIMEOUTS_S + TIMES_CALM * calm_s
        assert away.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert away.headers["retry-after"]
    finally:
        whole.kafka.start()
    assert decided(client, f"/machines/{machine_id}/use", headers, wish) == "used"
    with whole.store.reading() as connection:
        assert len(connection.execute(select(machine_uses).where(machine_uses.c.machine_id == machine_id)).all()) == 1
        assert connection.execute(select(open_machine_uses.c.member_id)).scalar_one() == member
        assert disagreements(connection) == []
    assert decided(client, f"/machines/{machine_id}/release", headers) == "released"


@contextmanager
def suspended(whole: Whole) -> Iterator[None]:
    """The store of pictures, for a while silent."""
    (server,) = [process for process in whole.stack.processes() if "moto.server" in _command(process)]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_without_the_store_of_pictures_no_machine_is_made_and_doors_do_not_notice(
    whole: Whole, client: httpx.Client
) -> None:
    gym_id, admin = whole.gyms.ids[0], bearer(whole, uuid4(), Role.USER, Role.STAFF, Role.ADMIN)
    file = BytesIO()
    Image.new("RGB", (200, 100), "teal").save(file, "PNG")

    def create() -> httpx.Response:
        files = {"image": ("rower.png", file.getvalue(), "image/png")}
        form = {"name": "Bike", "type": "bike", "description": ""}
        return client.post(f"/gyms/{gym_id}/machines", data=form, files=files, headers=admin)

    with suspended(whole):
        away = create()
        assert (away.status_code, away.json()["code"]) == (503, "images_away")
        with whole.doors() as doors:
            doors.wait_decided(doors.began_at, 50)
        whole.assert_nothing_lost(doors)
    listed = client.get(f"/gyms/{gym_id}/machines?type=bike", headers=admin).json()["items"]
    assert listed == []
    made = create()
    assert made.status_code == 201, made.text
    assert client.get(made.json()["image_url"].removeprefix("/api"), headers=admin).status_code == 200
