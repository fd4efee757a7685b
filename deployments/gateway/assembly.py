"""The gateway, put together from whatever stands for the others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from deployments.gateway.callers import Callers
from deployments.gateway.confirmed_cache import USUAL, ConfirmedCache, Freshness
from deployments.gateway.counting import AnswerCounts, CountedDesk, counted_calls
from deployments.gateway.parts import Parts
from deployments.gateway.ports import AskGym, AskQr, DoorCommands, Payments, Replies, Tokens
from deployments.gateway.rate_limit import RateLimit
from deployments.gateway.readiness import Readiness
from deployments.gateway.rest import build_rest
from deployments.gateway.scan_batching import ScanBatching
from deployments.gateway.scan_exchange import ScanExchange
from deployments.gateway.shell import Shell, ShellLimits, Step
from deployments.gym.desk import GymDesk
from deployments.qr.questions import ScanQuestion, decode_produced, encode_questions
from domain.clock import Clock
from integrations.settings import Settings
from integrations.tally import Tally


@dataclass(frozen=True, slots=True)
class Others:
    """What the gateway is put together with."""

    gym: AskGym
    qr: AskQr
    replies: Replies
    commands: DoorCommands
    tokens: Tokens
    payments: Payments


def assemble(
    others: Others,
    settings: Settings,
    clock: Clock,
    *,
    freshness: Freshness = USUAL,
    on_stop: Step | None = None,
    names_request: bool = True,
    tally: Tally | None = None,
) -> Shell:
    """The ASGI application.

    Args:
        others: see there.
        settings: the door's limits and the interface's.
        clock: the present.
        freshness: of what is remembered of devices and gates.
        on_stop: called at the end, when the others are needed no more.
        names_request: see `Shell`.
        tally: where scans are counted.
    """
    tally = tally or Tally()
    devices = ConfirmedCache(lambda ids: others.gym(GymDesk.device_keys, ids), freshness=freshness)
    gates = ConfirmedCache(lambda ids: others.gym(GymDesk.gates_by_id, ids), freshness=freshness)
    callers = Callers(devices, others.tokens, others.gym)
    door = settings.door
    batching = ScanBatching(
        counted_calls(_sender(others.qr), tally),
        calls_in_flight=door.handle_calls_in_flight,
        batch_max=door.handle_batch_max,
        call_timeout_s=door.deadline_s,
    )
    scans = CountedDesk(
        AnswerCounts(tally),
        callers=callers,
        gates=gates,
        exchange=ScanExchange(others.replies, batching, others.payments),
        replies=others.replies,
        rate=RateLimit(door.scans_per_device_per_second),
        deadline_s=door.deadline_s,
    )
    parts = Parts(
        callers=callers,
        gym=others.gym,
        qr=others.qr,
        gates=gates,
        replies=others.replies,
        commands=others.commands,
        readiness=_readiness(others),
        deadline_s=door.deadline_s,
        clock=clock,
    )

    async def start() -> None:
        devices.start()
        gates.start()

    async def stop() -> None:
        await devices.close()
        await gates.close()
        if on_stop:
            await on_stop()

    return Shell(
        scans,
        build_rest(parts),
        ShellLimits(settings.api.max_body_bytes, door.deadline_s, logs_scans=settings.log_level.upper() == "DEBUG"),
        clock,
        start=start,
        stop=stop,
        names_request=names_request,
    )


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

    return Readiness({"gym": gym, "database": database, "qr": qr, "kafka_replies": kafka_replies})
