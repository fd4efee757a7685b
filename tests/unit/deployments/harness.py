"""Gateway and scanner with stand-ins for passes, Kafka and the identity provider, on a real store with real rules."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import insert
from starlette.types import ASGIApp, Receive, Scope, Send

from consumers.door import request_of
from deployments.gateway.assembly import Backends, assemble
from deployments.gym.services import gym_services
from deployments.http.asgi import AsgiApplication
from deployments.http.confirmed_cache import Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.problems import retryable
from deployments.idempotent_calls import IdempotentAnswer
from deployments.identity.backend import IdentityBackend
from deployments.identity.local_functions import LocalFunctions, LocalTriggers
from deployments.identity.services import identity_services
from deployments.payments.services import payment_services
from deployments.qr.assembly import ScannerBackends, assemble_scanner
from deployments.qr.passes import ImageKind, IssuedPass
from deployments.service_host import MethodName, ServiceHost, name_of
from domain.door.model import ExpireVisitsRequest, OfflineScan, PassReading, PassStatus, ScanRequest
from domain.gyms.model import GateDirections
from domain.gyms.rules import hash_secret, write_credential
from domain.gyms.tables import gate_devices, gates
from domain.idempotency import IdempotentRequest, KeyState
from domain.identity.model import Caller, Role
from domain.ids import new_id
from domain.images.model import StoredImage
from domain.images.ports import ImagesUnavailableError
from integrations.device_cookies import DeviceCookies
from integrations.images.filesystem import DirectoryImageStore
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.kafka.messages import (
    DoorCommand,
    DoorReply,
    OfflineScanCommand,
    ReplyTo,
    ScanCommand,
    reply,
)
from integrations.local_identity.provider import LocalProvider
from integrations.metrics_registry import MetricsRegistry
from integrations.pass_keys import PassVerifier, ensure_pass_key
from integrations.settings import ApiSettings, DoorSettings, ImageSettings
from integrations.tokens import TokenRefusal, TokenRefusedError, TokenUse, TokenVerifier
from tests.contract.openapi_contract import OpenApiContract
from tests.mailbox import Mailbox
from tests.payment_provider import FakePaymentProvider
from tests.unit.integrations.local_identity.harness import light_settings
from tests.world import START, ManualClock, World

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")

Door = Callable[[ScanCommand | OfflineScanCommand], DoorReply | None]
SECRET = "s" * 43
PUBLIC_URL = "http://gym.test"
OTHER_ORIGIN = "http://app.gym.test"
API = ApiSettings(
    max_body_bytes=4096,
    public_url=PUBLIC_URL,
    allowed_origins=[OTHER_ORIGIN],
    sign_ins_per_address_per_second=1000,
    requests_per_user_per_second=1000,
)


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


class StandInProducer:
    """Hands each scan's command to a door and the door's reply straight back."""

    def __init__(self, replies: StandInReplies, door: Door) -> None:
        self.replies = replies
        self.door = door
        self.sent: list[ScanCommand | OfflineScanCommand] = []
        self.refuses: Callable[[DoorCommand], bool] = lambda _command: False

    @property
    def scans(self) -> list[ScanRequest]:
        """The scans that were sent, uploaded ones included."""
        return [command.scan if isinstance(command, ScanCommand) else command.offline.scan for command in self.sent]

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]]) -> list[bool]:
        return [self._produce(gym_id, command) for gym_id, command in commands]

    def _produce(self, gym_id: UUID, command: DoorCommand) -> bool:
        assert isinstance(command, ScanCommand | OfflineScanCommand)
        assert request_of(command).gym_id == gym_id
        self.sent.append(command)
        if self.refuses(command):
            return False
        answer = self.door(command)
        if answer:
            self.replies.give(answer)
        return True


class StandInVerifier:
    """Reads codes as a test says, or with real keys."""

    def __init__(self, reading: Callable[[str], PassReading]) -> None:
        self.reading = reading
        self.real: PassVerifier | None = None

    def read(self, code: str, arrived_at: datetime) -> PassReading:
        return self.real.read(code, arrived_at) if self.real else self.reading(code)


class StandInIssuer:
    """Issues passes that nobody could scan."""

    def __init__(self, reading: Callable[[str], PassReading]) -> None:
        self.reading = reading
        self.before_answer: Callable[[], Awaitable[None]] | None = None

    async def issue(self, member_id: UUID, count: int) -> list[IssuedPass]:
        times = [START + timedelta(seconds=15 * number) for number in range(count)]
        return [
            IssuedPass(f"{member_id}:{number}", at, at - timedelta(seconds=10), at + timedelta(seconds=45))
            for number, at in enumerate(times)
        ]

    async def image(
        self, member_id: UUID, kind: ImageKind, pixels: int | None = None, validity: timedelta | None = None
    ) -> bytes:
        more = [str(pixels)] if pixels else []
        more += [f"{validity.total_seconds():.0f}s"] if validity else []
        return ":".join([kind, str(member_id), *more]).encode()

    async def public_keys(self) -> dict[str, str]:
        return {"k1": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

    async def read(self, code: str) -> PassReading:
        return self.reading(code)

    async def ping(self) -> None:
        if self.before_answer:
            await self.before_answer()


class StandInTokens:
    """Tokens that tests give out; others are for the real verifier."""

    def __init__(self, verifier: TokenVerifier, clock: ManualClock) -> None:
        self.callers: dict[str, Caller] = {}
        self._verifier = verifier
        self._clock = clock

    def give(self, *groups: str, user_id: UUID | None = None, email: str | None = None, name: str = "Mia") -> str:
        user_id = user_id or new_id()
        now = self._clock()
        session_id = new_id()
        self.callers[f"token-of-{session_id}"] = Caller(
            user_id,
            tuple(groups),
            session_id,
            now,
            now + timedelta(hours=1),
            email=email or f"{user_id}@example.org",
            name=name,
        )
        return f"token-of-{session_id}"

    async def verify(self, token: str) -> Caller:
        if token.startswith("keys-away"):
            raise TokenRefusedError(TokenRefusal.KEYS_UNAVAILABLE)
        return self.callers.get(token) or await self._verifier.verify(token)


@dataclass
class StandInCommands:
    """The door behind the command client."""

    world: World
    sent: list[DoorCommand] = field(default_factory=list)
    silent: bool = False

    async def send(self, command: DoorCommand, gym_id: UUID, decide_by: datetime) -> DoorReply:
        self.sent.append(command)
        request = request_of(command)
        assert request.gym_id == gym_id
        assert not isinstance(request, OfflineScan | ExpireVisitsRequest)
        assert request.decide_by == decide_by
        if self.silent:
            raise NoAnswerInTime(command.command_id)
        (result,) = self.world.ask(request)
        return reply(command.command_id, result)


class StandInImages:
    """A store of images that can be away."""

    def __init__(self, store: DirectoryImageStore) -> None:
        self.store = store
        self.away_for: Callable[[str], bool] = lambda _key: False
        self.deletes = True

    def put(self, key: str, source: BinaryIO, content_type: str) -> None:
        self._reach(key)
        self.store.put(key, source, content_type)

    def get(self, key: str) -> StoredImage | None:
        self._reach(key)
        return self.store.get(key)

    def exists(self, key: str) -> bool:
        self._reach(key)
        return self.store.exists(key)

    def delete(self, key: str, written_before: datetime | None = None) -> bool:
        self._reach(key)
        if not self.deletes:
            raise ImagesUnavailableError("nothing is deleted, says the test")
        return self.store.delete(key, written_before)

    def keys(self, prefix: str, written_before: datetime) -> Iterator[str]:
        self._reach(prefix)
        return self.store.keys(prefix, written_before)

    def address(self, key: str, lifetime: timedelta) -> str | None:
        self._reach(key)
        return f"https://store.test/{key}?for={lifetime.total_seconds():.0f}"

    def kept(self) -> list[str]:
        return list(self.store.keys("", datetime.max.replace(tzinfo=UTC)))

    def _reach(self, key: str) -> None:
        if self.away_for(key):
            raise ImagesUnavailableError("away, says the test")


class LocalServices(Generic[D]):
    """A deployment's own services, called without a handle."""

    def __init__(self, services: D, clock: ManualClock) -> None:
        self._clock = clock
        self.services = services
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self.delay_s = 0.0
        self.loses_answers = False

    @property
    def services(self) -> D:
        return self._services

    @services.setter
    def services(self, services: D) -> None:
        self._services = services
        self.host = ServiceHost(services, clock=self._clock)

    async def __call__(self, method: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        name = name_of(method)
        answer: R = await self._answered(name, partial(self.host.call, name, *args, **kwargs))
        return answer

    async def once(
        self,
        request: IdempotentRequest,
        method: Callable[Concatenate[Any, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> IdempotentAnswer[R] | KeyState:
        name = name_of(method)
        answer: IdempotentAnswer[R] | KeyState = await self._answered(
            name, partial(self.host.call_once, request, name, *args, **kwargs)
        )
        return answer

    async def _answered(self, name: MethodName, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - of any method
        self.calls.append(".".join(name))
        if self.fails:
            raise self.fails
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        answer = call()
        if self.loses_answers:
            raise retryable("unavailable", "The gateway has given up waiting, says the test.")
        return answer


@dataclass(frozen=True)
class GymWithGate:
    """A gym of the world with one gate and its device."""

    gym: UUID
    gate: UUID
    device: UUID

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Device {write_credential(self.device, SECRET)}"}


class PublicAddress:
    """Leads each request to its application by the longest route prefix, as HAProxy does."""

    def __init__(self, gateway: AsgiApplication, scanner: AsgiApplication) -> None:
        self._gateway = gateway
        self._scanner = scanner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == "/api/scans" or path.startswith("/api/scans/"):
            await self._scanner({**scope, "root_path": "/api/scans"}, receive, send)
        else:
            await self._gateway(scope, receive, send)


class Harness:
    """Everything, put together."""

    # Made by the first, for all that come after it: every harness has the same calls.
    _rest: ClassVar[FastAPI | None] = None

    def __init__(
        self,
        world: World,
        *,
        freshness: Freshness | None = None,
        api: ApiSettings = API,
        images: ImageSettings | None = None,
        folder: Path | None = None,
        **door_settings: Any,  # noqa: ANN401 - DoorSettings' own
    ) -> None:
        self.world = world
        self.settings = light_settings(
            folder or Path(str(world.store.engine.url.database)).parent,
            door=DoorSettings(**{"deadline_s": 0.5, **door_settings}),
            api=api.model_copy(),
        )
        self.images = StandInImages(DirectoryImageStore(self.settings.data_dir / "images"))
        self.settings.images = images or ImageSettings(max_bytes=64 * 1024)
        self.gym = LocalServices(
            gym_services(world.store, world.clock, images=self.images, image_settings=self.settings.images),
            world.clock,
        )
        self.mailbox = Mailbox()
        self.provider = LocalProvider(self.settings, self.mailbox, world.clock)
        self.provider.triggers = LocalTriggers(self.provider)
        backend = IdentityBackend(self.provider, self.provider, LocalFunctions(self.provider), self.mailbox)
        assert self.settings.passes.key_dir is not None
        ensure_pass_key(self.settings.passes.key_dir)
        own = self.settings.identity
        devices = DeviceCookies(self.settings.passes.key_dir, timedelta(days=own.known_device_days))
        self.identity = LocalServices(
            identity_services(world.store, backend, own, world.clock, devices=devices), world.clock
        )
        self.replies = StandInReplies()
        self.qr = StandInIssuer(self.reading)
        self.verifier = StandInVerifier(self.reading)
        self.producer = StandInProducer(self.replies, self.decide)
        self.tally = MetricsRegistry()
        self.scanner_fails: Exception | None = None
        self.tokens = StandInTokens(
            TokenVerifier(self.settings.identity, TokenUse.ACCESS, clock=world.clock), world.clock
        )
        self.commands = StandInCommands(world)
        self.payment_provider = FakePaymentProvider(world.clock)
        self.payments = LocalServices(
            payment_services(world.store, world.clock, provider=self.payment_provider, accepts_events=True),
            world.clock,
        )
        self.others = Backends(
            gym=self.gym,
            identity=self.identity,
            qr=self.qr,
            scanner=self.scanner_ping,
            replies=self.replies,
            commands=self.commands,
            tokens=self.tokens,
            payments=self.payments,
            images=self.images,
        )
        self.scanner_others = ScannerBackends(
            gym=self.gym,
            identity=self.identity,
            payments=self.payments,
            tokens=self.tokens,
            verifier=self.verifier,
            producer=self.producer,
            replies=self.replies,
            commands=self.commands,
        )
        freshness = freshness or Freshness()
        self.shell, self.parts = assemble(
            self.others, self.settings, world.clock, freshness=freshness, rest=Harness._rest
        )
        Harness._rest = self.rest
        self.scanner, self.scans = assemble_scanner(
            self.scanner_others, self.settings, world.clock, freshness=freshness, metrics=self.tally
        )
        self.public = PublicAddress(self.shell, self.scanner)
        self.client = self.client_of(self.public)
        self._contract = OpenApiContract(self.document)

    def client_of(self, shell: ASGIApp) -> httpx.AsyncClient:
        """A client that holds every answer to the document."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(shell, root_path="/api", raise_app_exceptions=True),
            base_url="http://gym.test/api",
            event_hooks={"response": [self._keeps_to_the_document]},
        )

    @property
    def rest(self) -> FastAPI:
        """The gateway's FastAPI application."""
        rest = self.shell._rest  # noqa: SLF001 - for the rigs after this one
        assert isinstance(rest, FastAPI)
        return rest

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document that is served."""
        document = self.rest.openapi_schema
        assert document is not None
        return document

    async def _keeps_to_the_document(self, answer: httpx.Response) -> None:
        await answer.aread()
        self._contract.check(answer.request.method, answer.request.url.path.removeprefix("/api"), answer)

    async def report_sightings(self) -> None:
        """Report which devices were seen now, instead of every few seconds."""
        for shell in (self.shell, self.scanner):
            for part in shell.lifespan._parts:  # noqa: SLF001 - in place of the clock
                if isinstance(part, DeviceSightings):
                    await part.report()

    async def scanner_ping(self) -> None:
        """What the scanner answers to the question whether it can work."""
        if self.scanner_fails:
            raise self.scanner_fails

    def verify_with(self, verifier: PassVerifier) -> None:
        """Have scanned codes verified with real keys."""
        self.verifier.real = verifier

    def reading(self, code: str) -> PassReading:
        """A code is `<member id>` or nonsense."""
        try:
            return self.world.code(UUID(code))
        except ValueError:
            return PassReading(PassStatus.FORGED)

    def decide(self, command: ScanCommand | OfflineScanCommand) -> DoorReply:
        """What the real door says."""
        (result,) = self.world.ask(command.scan if isinstance(command, ScanCommand) else command.offline)
        return reply(command.command_id, result)

    def gym_with_gate(self, serves: GateDirections = GateDirections.BOTH, capacity: int = 100) -> GymWithGate:
        gym = self.world.gym(capacity)
        gate = self.gate(gym, serves)
        return GymWithGate(gym, gate, self.device(gate))

    def gate(self, gym: UUID, serves: GateDirections = GateDirections.BOTH) -> UUID:
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
