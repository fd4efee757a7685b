"""A scan's latency beside other work: machine pictures uploaded, users listed, the OpenAPI document fetched.

Scans are sent at a moderate, steady rate, first alone, then with the other work, then alone again: a drift of the
machine affects both. The other work has a schedule too, so that it is the same however fast the stack is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from itertools import cycle, islice
from random import Random
from statistics import fmean
from uuid import UUID

import httpx
from PIL import Image

from cluster.errors import CommandError
from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.measurements import offered_figures, unexpected
from cluster.load.benchmark.open_loop import offer_scans
from cluster.load.benchmark.traffic import ScanTraffic
from cluster.load.figures import Figures, ratio
from cluster.load.generator import GeneratorProcess, Job, steady
from cluster.load.http_client import request
from cluster.local.ports import LOOPBACK
from domain.identity.model import Role
from domain.identity.repository import UserRepository
from domain.ids import new_id
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings

RATE_SHARE = 0.25  # of the greatest rate of scans
_MACHINES = 8
_PICTURES, _PICTURE_SIZE = 8, (800, 600)
_LEAD_S = 8.0  # the scans are planned and their generator is started while the other work runs
_TIMEOUT_S = 30.0
_TOKEN_LIFETIME = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Work:
    """Requests of one kind, sent in turn.

    Args:
        rate: requests a second.
        lanes: how many connections.
    """

    name: str
    requests: Sequence[bytes]
    rate: float
    lanes: int

    def schedule(self, seconds: float) -> tuple[list[list[bytes]], list[list[float]]]:
        """For each connection its requests, and when each is due."""
        due = steady(self.rate, round(self.rate * seconds), self.lanes)
        place = range(sum(map(len, due)))
        content = [self.requests[number % len(self.requests)] for number in place]
        return [content[lane :: self.lanes] for lane in range(self.lanes)], due


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin for the length of a benchmark."""

    id: UUID
    authorization: str = field(repr=False)


def new_admins(settings: Settings) -> Mapping[str, Admin]:
    """An admin for each kind of work that needs one: a user may send only so many requests a second.

    Raises:
        CommandError: the stack has no local identity provider.
    """
    admins = {}
    for name in ("uploads", "lists"):
        user_id, roles = new_id(), [Role.ADMIN.value]
        email = f"admin-{user_id.hex[-12:]}@bench.example"
        try:
            token = mint_access_token(settings, sub=user_id, email=email, groups=roles, lifetime=_TOKEN_LIFETIME)
        except NoLocalIdentityError as error:
            raise CommandError(f"no admin for the other work: {error}", "leave `beside` out of --parts") from error
        admins[name] = Admin(user_id, f"Bearer {token}")
    return admins


def measure_beside_other_work(
    stack: MeasuredStack, traffic: ScanTraffic, greatest: float, admins: Mapping[str, Admin]
) -> Figures:
    """Send scans alone, beside other work, and alone again.

    `p99_ratio` is a scan's p99 beside the work divided by its mean p99 alone.

    Args:
        greatest: scans a second in a closed loop.
        admins: see `new_admins`; their roles are removed at the end.

    Raises:
        CommandError: the stack refuses to prepare the work.
    """
    rate = max(1.0, greatest * RATE_SHARE)

    def alone() -> Figures:
        stack.status.update(f"beside: {rate:.0f} scans/s alone")
        return offer_scans(stack, traffic, rate)[0]

    with _prepared(stack, admins) as work:
        before = alone()
        stack.status.update(f"beside: {rate:.0f} scans/s with other work")
        beside, done = _measure_both(stack, traffic, rate, work)
        without = [before, alone()]
    p99_ms = fmean(figures["p99_ms"] for figures in without)
    return {
        "offered_rps": round(rate, 1),
        "seconds": stack.seconds,
        "p99_ratio": round(ratio(beside["p99_ms"], p99_ms), 2),
        "without": without,
        "beside": beside,
        "work": done,
    }


def _measure_both(
    stack: MeasuredStack, traffic: ScanTraffic, rate: float, work: Sequence[Work]
) -> tuple[Figures, Figures]:
    seconds = stack.seconds + _LEAD_S
    schedules = [each.schedule(seconds) for each in work]
    lanes = [lane for requests, _ in schedules for lane in requests]
    due = [times for _, schedule in schedules for times in schedule]
    job = Job(
        LOOPBACK,
        stack.record.port,
        lanes,
        repeats=False,
        seconds=seconds,
        timeout_s=_TIMEOUT_S,
        due=due,
        keeps_bodies=False,  # a document has almost a megabyte
    )
    with GeneratorProcess(job) as process:
        process.begin()
        beside, scans = offer_scans(stack, traffic, rate, warm_up=False)
        process.wait()
        driven = process.result()
    if scans.began + scans.seconds > driven.began + seconds:
        raise CommandError("the other work ended before the scans", "measure on a machine that does nothing else")
    answered = iter(driven.lanes)
    found = {}
    for each in work:
        answers = list(islice(answered, each.lanes))
        found[each.name] = offered_figures(answers, unexpected(answers))
    return beside, found


@contextmanager
def _prepared(stack: MeasuredStack, admins: Mapping[str, Admin]) -> Iterator[Sequence[Work]]:
    """The work, with machines of its own, which are removed afterwards."""
    gym_id = stack.seed(gyms=1, members=0, capacity=1).gym_ids[0]
    pictures = _pictures(stack.random_seed)
    address, headers = f"http://{stack.host}/api", {"Authorization": admins["uploads"].authorization}
    machines: list[str] = []
    with httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S) as api:
        try:
            machines.extend(_create_machine(api, gym_id, place, pictures[0]) for place in range(_MACHINES))
            yield _work(stack.host, admins, machines, pictures)
        finally:
            for machine in machines:
                api.delete(f"/machines/{machine}", headers={"If-Match": "*"})
            with stack.store.writing() as connection:
                for admin in admins.values():
                    UserRepository(connection).set_roles(admin.id, ())


def _work(host: str, admins: Mapping[str, Admin], machines: Sequence[str], pictures: Sequence[bytes]) -> Sequence[Work]:
    uploader, reader = (admins[name].authorization for name in ("uploads", "lists"))
    headers = {"Content-Type": "image/jpeg", "If-Match": "*"}
    # Each machine gets another picture each time: seven pictures for eight machines.
    shown = pictures[:-1]
    uploads = [
        request("PUT", host, f"/api/machines/{machine}/image", uploader, picture, headers)
        for machine, picture, _ in zip(cycle(machines), cycle(shown), range(len(machines) * len(shown)), strict=False)
    ]
    return (
        Work("uploads", uploads, rate=4, lanes=2),
        Work("lists", [request("GET", host, "/api/users?limit=100", reader)], rate=15, lanes=2),
        Work("documents", [request("GET", host, "/api/openapi.json", reader)], rate=15, lanes=2),
    )


def _create_machine(api: httpx.Client, gym_id: UUID, place: int, picture: bytes) -> str:
    texts = {"name": f"Bench machine {place + 1}", "type": "Rower"}
    created = api.post(f"/gyms/{gym_id}/machines", data=texts, files={"image": ("machine.jpg", picture, "image/jpeg")})
    if created.is_error:
        raise CommandError(f"no machine could be created: {created.status_code} {created.text[:160]}")
    return str(created.json()["id"])


def _pictures(seed: int) -> Sequence[bytes]:
    """JPEGs that differ, of half a megapixel and some 100 kB."""
    random = Random(seed)  # noqa: S311 - draws pictures
    made = []
    for _ in range(_PICTURES):
        coarse = Image.frombytes("RGB", (80, 60), random.randbytes(80 * 60 * 3))
        out = BytesIO()
        coarse.resize(_PICTURE_SIZE, Image.Resampling.BICUBIC).save(out, "JPEG", quality=92)
        made.append(out.getvalue())
    return made
