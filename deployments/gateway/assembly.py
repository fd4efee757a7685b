"""The gateway, put together from whatever stands for the others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from fastapi import FastAPI

from deployments.gateway.dependencies import Parts
from deployments.gateway.identity.local_provider_routes import FORMS
from deployments.gateway.identity.pages.forms import FORMS as PAGE_FORMS
from deployments.gateway.payments.webhook_routes import LARGER_BODIES
from deployments.gateway.routers import build_rest
from deployments.gateway.system.readiness import Readiness
from deployments.gym.desk import GymDesk
from deployments.http.api_rights import RIGHTS
from deployments.http.asgi import WAY_BACK_S, Shell, ShellLimits
from deployments.http.auth import callers_of
from deployments.http.background_tasks import Lifespan, Step
from deployments.http.confirmed_cache import USUAL, ConfirmedCache, Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.images_by_thread import ImagesByThread
from deployments.http.pictures import Pictures
from deployments.http.ports import AskGym, AskIdentity, AskPayments, AskQr, DoorCommands, Replies, Tokens
from deployments.http.rate_limits import RateLimit
from deployments.http.route_guard import Gatekeeper
from deployments.http.uploads import UPLOADS, Uploads
from deployments.payments.desk import PaymentsDesk
from deployments.qr.answer_counts import AnswerCounts, CountedDesk, counted_calls
from deployments.qr.questions import ScanQuestion, decode_produced, encode_questions
from deployments.qr.relay import Relay
from deployments.qr.scan_batching import ScanBatching
from deployments.qr.scan_exchange import ScanExchange
from domain.clock import Clock
from domain.images import ImageStore
from integrations.settings import Settings
from integrations.tally import Tally


@dataclass(frozen=True, slots=True)
class Others:
    """What the gateway is put together with."""

    gym: AskGym
    identity: AskIdentity
    qr: AskQr
    replies: Replies
    commands: DoorCommands
    tokens: Tokens
    payments: AskPayments
    images: ImageStore


class Assembled(NamedTuple):
    """The gateway: what is asked over HTTP, and what other applications ask by handle."""

    shell: Shell
    relay: Relay


def assemble(
    others: Others,
    settings: Settings,
    clock: Clock,
    *,
    freshness: Freshness = USUAL,
    on_stop: Step | None = None,
    names_request: bool = True,
    tally: Tally | None = None,
    rest: FastAPI | None = None,
) -> Assembled:
    """The ASGI application, and what it does for others.

    Args:
        others: see there.
        settings: the door's limits and the interface's.
        clock: the present.
        freshness: of what is remembered of devices, gates and sessions.
        on_stop: called at the end, when the others are needed no more.
        names_request: see `Shell`.
        tally: where scans are counted.
        rest: of a gateway with the same settings; see `like` of `build_rest`.
    """
    tally = tally or Tally()
    gates = ConfirmedCache(lambda ids: others.gym(GymDesk.gates_by_id, ids), freshness=freshness)
    callers = callers_of(others.gym, others.identity, others.tokens, freshness, settings.api)
    door = settings.door
    batching = ScanBatching(
        counted_calls(_sender(others.qr), tally),
        calls_in_flight=door.handle_calls_in_flight,
        batch_max=door.handle_batch_max,
        call_timeout_s=door.deadline_s,
    )
    exchange = ScanExchange(others.replies, batching, others.payments)
    sightings = DeviceSightings(others.gym)
    scans = CountedDesk(
        AnswerCounts(tally),
        callers=callers,
        gates=gates,
        exchange=exchange,
        replies=others.replies,
        rate=RateLimit(door.scans_per_device_per_second),
        deadline_s=door.deadline_s,
        sightings=sightings,
    )
    images = ImagesByThread(others.images)
    parts = Parts(
        gym=others.gym,
        identity=others.identity,
        qr=others.qr,
        payments=others.payments,
        exchange=exchange,
        gates=gates,
        replies=others.replies,
        commands=others.commands,
        pictures=Pictures(images, presigned=settings.images.presigned),
        uploads=Uploads(images, settings.images),
        # Apart from the rate of the gate: nobody there waits because the device is uploading.
        upload_rate=RateLimit(door.scans_per_device_per_second),
        readiness=_readiness(others),
        clock=clock,
        settings=settings,
    )

    def seen(device_id: UUID) -> None:
        sightings.note(device_id, clock(), None)

    gatekeeper = Gatekeeper.of(RIGHTS, callers, settings.api, seen=seen)
    shell = Shell(
        scans,
        build_rest(parts, gatekeeper, like=rest),
        ShellLimits.of(settings, forms=FORMS | PAGE_FORMS, larger=LARGER_BODIES, uploads=UPLOADS),
        clock,
        lifespan=Lifespan(callers, gates, sightings, on_stop=on_stop),
        names_request=names_request,
    )
    return Assembled(shell, Relay(scans, parts, door.deadline_s + WAY_BACK_S))


def _sender(qr: AskQr) -> Callable[[Sequence[ScanQuestion]], Awaitable[list[bool]]]:
    async def send(questions: Sequence[ScanQuestion]) -> list[bool]:
        return decode_produced(await qr.check(encode_questions(questions)), len(questions))

    return send


def _readiness(others: Others) -> Readiness:
    async def gym() -> bool:
        return await others.gym(GymDesk.ping)

    async def database() -> bool:
        return await others.gym(GymDesk.ping_database)

    async def qr() -> bool:
        await others.qr.ping()
        return True

    async def kafka_replies() -> bool:
        return others.replies.ready and others.replies.healthy

    async def payments() -> bool:
        return await others.payments(PaymentsDesk.ping)  # asks no provider: what hangs there says nothing of this part

    required = {"gym": gym, "database": database, "qr": qr, "kafka_replies": kafka_replies}
    return Readiness(required, shown={"payments": payments})
