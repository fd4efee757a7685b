"""The gateway with stand-ins for Qr, Kafka and the identity provider, on a real store and the real door's rules."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import insert

from deployments.gateway.assembly import Others, assemble
from deployments.gateway.confirmed_cache import Freshness
from deployments.gateway.shell import Shell
from deployments.gym.desk import GymDesk
from deployments.qr.passes import ImageKind, IssuedPass
from deployments.qr.questions import ScanQuestion, decode_questions, encode_produced
from domain.door.model import PassReading, PassStatus
from domain.gyms.model import Serves
from domain.gyms.rules import hash_secret, write_credential
from domain.identity.model import Caller, Role, roles_of
from domain.ids import new_id
from domain.tables import gate_devices, gates
from integrations.access_tokens import TokenRefusal, TokenRefusedError
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.kafka.messages import AnnulCommand, DoorCommand, DoorReply, ReplyTo, reply
from integrations.settings import ApiSettings, DoorSettings, Settings
from tests.contract.openapi_contract import OpenApiContract
from tests.world import START, World

P = ParamSpec("P")
R = TypeVar("R")

Door = Callable[[ScanQuestion], DoorReply | None]
SECRET = "s" * 43


class StandInReplies:
    """Replies that tests give by hand."""

    def __init__(self) -> None:
        self.ready = True
        self.healthy = True
        self.reply_to = ReplyTo(replica="replica", partition=0)
        self.waiting: dict[UUID, asyncio.Future[DoorReply]] = {}

    def expect(self, command_id: UUID) -> asyncio.Future[DoorReply]:
        self.waiting[command_id] = asyncio.get_running_loop().create_future()
        return self.waiting[command_id]

    def forget(self, command_id: UUID) -> None:
        self.waiting.pop(command_id, None)

    def give(self, answer: DoorReply) -> None:
        waiting = self.waiting.get(answer.command_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


class StandInQr:
    """Hands each question to a door and its reply straight back."""

    def __init__(self, replies: StandInReplies, door: Door) -> None:
        self.replies = replies
        self.door = door
        self.batches: list[list[ScanQuestion]] = []
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.refuses: Callable[[ScanQuestion], bool] = lambda _question: False

    async def check(self, batch: bytes) -> bytes:
        questions = decode_questions(batch)
        self.batches.append(questions)
        if self.before_answer:
            await self.before_answer()
        accepted = [not self.refuses(question) for question in questions]
        for question, taken in zip(questions, accepted, strict=True):
            answer = self.door(question) if taken else None
            if answer:
                self.replies.give(answer)
        return encode_produced(accepted)

    async def issue(self, member_id: UUID, count: int) -> list[IssuedPass]:
        times = [START + timedelta(seconds=15 * number) for number in range(count)]
        return [
            IssuedPass(f"{member_id}:{number}", at, at - timedelta(seconds=10), at + timedelta(seconds=45))
            for number, at in enumerate(times)
        ]

    async def image(self, member_id: UUID, kind: ImageKind) -> bytes:
        return f"{kind}:{member_id}".encode()

    async def ping(self) -> None:
        if self.before_answer:
            await self.before_answer()


class StandInTokens:
    """Tokens that tests give out."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}

    def give(self, *groups: str, user_id: UUID | None = None) -> str:
        user_id = user_id or new_id()
        token = f"token-of-{user_id}"
        self.callers[token] = Caller(user_id, roles_of(groups), f"{user_id}@example.org", str(user_id))
        return token

    async def verify(self, token: str) -> Caller:
        if token not in self.callers:
            keys_away = token.startswith("keys-away")
            raise TokenRefusedError(TokenRefusal.KEYS_AWAY if keys_away else TokenRefusal.BAD_SIGNATURE)
        return self.callers[token]


@dataclass
class StandInCommands:
    """The door behind the command client."""

    world: World
    sent: list[DoorCommand] = field(default_factory=list)
    silent: bool = False

    async def send(self, command: DoorCommand, gym_id: UUID, decide_by: datetime) -> DoorReply:
        self.sent.append(command)
        assert isinstance(command, AnnulCommand)
        assert command.annul.gym_id == gym_id
        assert command.annul.decide_by == decide_by
        if self.silent:
            raise NoAnswerInTime(command.command_id)
        (result,) = self.world.ask(command.annul)
        return reply(command.command_id, result)


@dataclass
class StandInPayments:
    """Remembers who was asked about."""

    asked: list[UUID] = field(default_factory=list)
    fails: bool = False

    async def settle(self, member_id: UUID, within_s: float) -> None:
        assert within_s > 0
        self.asked.append(member_id)
        if self.fails:
            raise ConnectionError


class LocalGym:
    """The Gym's own class, called without a handle."""

    def __init__(self, desk: GymDesk) -> None:
        self.desk = desk
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self.delay_s = 0.0

    async def __call__(self, method: Callable[Concatenate[GymDesk, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.calls.append(method.__name__)
        if self.fails:
            raise self.fails
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return method(self.desk, *args, **kwargs)


@dataclass(frozen=True)
class GymWithGate:
    """A gym of the world with one gate and its device."""

    gym: UUID
    gate: UUID
    device: UUID

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Device {write_credential(self.device, SECRET)}"}


class Rig:
    """Everything, put together."""

    def __init__(self, world: World, *, freshness: Freshness | None = None, **door_settings: Any) -> None:  # noqa: ANN401 - DoorSettings' own
        self.world = world
        self.gym = LocalGym(GymDesk(world.store, world.clock))
        self.replies = StandInReplies()
        self.qr = StandInQr(self.replies, self.decide)
        self.tokens = StandInTokens()
        self.commands = StandInCommands(world)
        self.payments = StandInPayments()
        self.settings = Settings(
            door=DoorSettings(**{"deadline_s": 0.5, **door_settings}), api=ApiSettings(max_body_bytes=4096)
        )
        self.shell: Shell = assemble(
            Others(
                gym=self.gym,
                qr=self.qr,
                replies=self.replies,
                commands=self.commands,
                tokens=self.tokens,
                payments=self.payments,
            ),
            self.settings,
            world.clock,
            freshness=freshness or Freshness(),
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.shell, root_path="/api", raise_app_exceptions=True),
            base_url="http://gym.test/api",
            event_hooks={"response": [self._keeps_to_the_document]},
        )
        self._contract = OpenApiContract(self.document)

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document that is served."""
        document: dict[str, Any] = self.shell._rest.openapi_schema  # type: ignore[attr-defined]  # noqa: SLF001 - a FastAPI application
        return document

    async def _keeps_to_the_document(self, answer: httpx.Response) -> None:
        await answer.aread()
        self._contract.check(answer.request.method, answer.request.url.path.removeprefix("/api"), answer)

    def decide(self, question: ScanQuestion) -> DoorReply:
        """What the real door says; a code is `<member id>` or nonsense."""
        try:
            reading = self.world.code(UUID(question.code))
        except ValueError:
            reading = PassReading(PassStatus.FORGED)
        (result,) = self.world.ask(question.with_reading(reading))
        return reply(question.command_id, result)

    def gym_with_gate(self, serves: Serves = Serves.BOTH, capacity: int = 100) -> GymWithGate:
        gym = self.world.gym(capacity)
        gate = self.gate(gym, serves)
        return GymWithGate(gym, gate, self.device(gate))

    def gate(self, gym: UUID, serves: Serves = Serves.BOTH) -> UUID:
        gate = new_id()
        with self.world.store.writing() as connection:
            connection.execute(
                insert(gates).values(id=gate, gym_id=gym, name=f"Gate {gate}", serves=serves.value, created_at=START)
            )
        return gate

    def device(self, gate: UUID) -> UUID:
        device = new_id()
        with self.world.store.writing() as connection:
            connection.execute(
                insert(gate_devices).values(
                    id=device, gate_id=gate, name="Reader", secret_hash=hash_secret(SECRET), created_at=START
                )
            )
        return device

    def bearer(self, *groups: Role, user_id: UUID | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.give(*groups, user_id=user_id)}"}

    async def scan(self, at: GymWithGate, code: object, /, **changes: Any) -> httpx.Response:  # noqa: ANN401 - any JSON
        headers = changes.pop("headers", at.headers)
        return await self.client.post("/scans", json=scan_body(at.gate, code, **changes), headers=headers)


def scan_body(gate: UUID, code: object, /, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    body: dict[str, Any] = {"code": str(code), "gate_id": str(gate), "direction": "auto", "scan_id": str(new_id())}
    body |= changes
    return {name: value for name, value in body.items() if value is not ...}


def question(code: str = "code", **changes: Any) -> ScanQuestion:  # noqa: ANN401 - any field
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "command_id": new_id(),
        "reply_to": ReplyTo(replica="replica", partition=0),
        "scan_id": str(new_id()),
        "asked_by": new_id(),
        "gym_id": new_id(),
        "gate_id": new_id(),
        "direction": "auto",
        "code": code,
        "arrived_at": now,
        "decide_by": now + timedelta(seconds=1.8),
    }
    return ScanQuestion(**(values | changes))


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["type"] == f"/api/docs#{code}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    return problem


async def settled(times: int = 5) -> None:
    """Let everything that can go on go on."""
    for _ in range(times):
        await asyncio.sleep(0)


def batches(qr: StandInQr) -> Sequence[int]:
    return [len(batch) for batch in qr.batches]
