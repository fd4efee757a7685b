"""How webhooks are sent and how calls go wrong, switched while the sandbox runs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, Self, TypeVar

import stripe
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.local.stripe_sandbox.errors import InvalidParameterError
from cluster.local.stripe_sandbox.store import Store

_API_VERSION = stripe.api_version or ""
_MOST = 1_000_000


class _Setting(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, sent: Mapping[str, Any]) -> Self:
        """Read what a person sent.

        Raises:
            InvalidParameterError: names the switch.
        """
        try:
            return cls.model_validate(sent)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            param = ".".join(str(part) for part in first["loc"])
            raise InvalidParameterError(f"{param}: {first['msg']}", param) from None

    def changed(self) -> dict[str, Any]:
        """What is not as it was at first."""
        return self.model_dump(exclude_defaults=True)


class Switches(_Setting):
    """Of webhooks, and of what happens by itself."""

    repeat: int = Field(default=0, ge=0, le=100, description="How many times more each event is sent.")
    reorder: int = Field(default=0, ge=0, le=1000, description="So many are held, then sent, the last one first.")
    delay_s: float = Field(default=0, ge=0, le=_MOST, description="How long each event waits before it is sent.")
    drop: Annotated[int, Field(ge=-1)] | Literal["all"] = Field(
        default=0, description="So many of the next are never sent; -1 or all: none is."
    )
    paused: bool = Field(default=False, description="Nothing is sent; it waits.")
    api_version: str = Field(default=_API_VERSION, min_length=1, max_length=40, description="Told in events.")
    all_events: bool = Field(default=False, description="Also sends payment_intent.* and charge.succeeded/failed.")
    retry_s: float = Field(default=1, gt=0, le=3600, description="The wait after a first failure; it doubles.")
    settle_after_s: float | None = Field(default=None, ge=0, le=_MOST, description="When delayed payments arrive.")
    settle_as: Literal["succeeded", "failed"] = Field(default="succeeded", description="How they arrive by then.")
    refunds: Literal["succeeded", "pending"] = Field(default="succeeded", description="What a new refund is at first.")


class Faults(_Setting):
    """Of calls to `/v1/…`."""

    hang_s: float = Field(default=0, ge=0, le=3600, description="How long an answer is late.")
    status: int | None = Field(default=None, ge=400, le=599, description="Answered instead of carrying the call out.")
    next: int | None = Field(default=None, ge=0, description="How many calls it meets; all when there is no number.")
    after: bool = Field(default=False, description="The call is carried out, then the connection closed.")

    @property
    def is_on(self) -> bool:
        """Whether it meets the next call."""
        return self.next != 0 and (self.hang_s > 0 or self.status is not None or self.after)


_S = TypeVar("_S", bound=_Setting)


class Panel:
    """The switches as they stand; they survive a restart.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._switches = _kept(Switches, store.setting("switches"))
        self._faults = _kept(Faults, store.setting("faults"))
        self._goes_on = asyncio.Event()

    @property
    def switches(self) -> Switches:
        """Of webhooks."""
        return self._switches

    @property
    def faults(self) -> Faults:
        """Of calls."""
        return self._faults

    def turn(self, sent: Mapping[str, Any]) -> Switches:
        """Set all switches; those that are not named are as they were at first."""
        self._switches = Switches.read({name: value for name, value in sent.items() if value is not None})
        self._store.set("switches", self._switches.model_dump())
        return self._switches

    def turn_some(self, sent: Mapping[str, Any]) -> Switches:
        """Set the switches that are named, and leave the others as they are."""
        return self.turn({**self._switches.model_dump(), **sent})

    def break_calls(self, sent: Mapping[str, Any]) -> Faults:
        """Set how calls go wrong; an empty setting ends it."""
        self._faults = Faults.read(sent)
        self._store.set("faults", self._faults.model_dump())
        if not self._faults.hang_s:
            self._goes_on.set()
            self._goes_on = asyncio.Event()
        return self._faults

    async def hang(self, fault: Faults) -> None:
        """Be as late as a fault says, or until faults no longer have calls hang, as when a service recovers."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._goes_on.wait(), fault.hang_s)

    def take_fault(self) -> Faults | None:
        """What goes wrong with the call that has just come."""
        fault = self._faults
        if not fault.is_on:
            return None
        if fault.next is not None:
            self.break_calls({**fault.model_dump(), "next": fault.next - 1})
        return fault

    def drops(self) -> bool:
        """Whether the event that has just happened is never sent."""
        drop = self._switches.drop
        if drop in {"all", -1}:
            return True
        if drop == 0:
            return False
        self.turn_some({"drop": int(drop) - 1})
        return True


def _kept(kind: type[_S], kept: Mapping[str, Any]) -> _S:
    known = {name: value for name, value in kept.items() if name in kind.model_fields}
    return kind.model_validate(known)
