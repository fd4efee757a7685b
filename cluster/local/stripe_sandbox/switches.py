"""How webhooks are sent and how calls fail. Both can be changed while the sandbox runs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeVar

import stripe
from pydantic import Field

from cluster.local.stripe_sandbox.parameters import Parameters, read
from cluster.local.stripe_sandbox.store import Store

_MAX_DELAY_S = 1_000_000


class Switches(Parameters):
    """How webhooks are sent, and how refunds begin."""

    repeat: int = Field(default=0, ge=0, le=100, description="Number of extra deliveries of each event.")
    reorder: int = Field(default=0, ge=0, le=1000, description="Size of the batches that are sent newest first.")
    delay_s: float = Field(default=0, ge=0, le=_MAX_DELAY_S, description="Delay before each event is sent.")
    drop: Annotated[int, Field(ge=-1)] | Literal["all"] = Field(
        default=0, description="Number of next events that are never sent; -1 or all: every event."
    )
    paused: bool = Field(default=False, description="Events wait and are not sent.")
    api_version: str = Field(default=stripe.api_version or "", min_length=1, max_length=40, description="Of events.")
    retry_s: float = Field(default=1, gt=0, le=3600, description="Delay after the first failure; it doubles each time.")
    refunds: Literal["succeeded", "pending"] = Field(default="succeeded", description="Status of a new refund.")


class Faults(Parameters):
    """How calls to `/v1/…` fail."""

    hang_s: float = Field(default=0, ge=0, le=3600, description="Delay of the response.")
    status: int | None = Field(default=None, ge=400, le=599, description="Returned instead of executing the call.")
    next: int | None = Field(default=None, ge=0, description="Number of calls that fail (default: all).")
    after: bool = Field(default=False, description="The call is executed, then the connection is closed.")

    @property
    def is_on(self) -> bool:
        """Whether the next call fails."""
        return self.next != 0 and (self.hang_s > 0 or self.status is not None or self.after)


_P = TypeVar("_P", bound=Parameters)


class ControlPanel:
    """The current switches and faults. They are kept over a restart.

    Args:
        store: where they are saved.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.switches = _saved(Switches, store.setting("switches"))
        self.faults = _saved(Faults, store.setting("faults"))
        self._hang_ends = asyncio.Event()

    def set_switches(self, sent: Mapping[str, Any]) -> None:
        """Set all switches; those that are not named get their defaults.

        Raises:
            SandboxError: a switch is unknown or its value is invalid.
        """
        self.switches = read(Switches, sent)
        self._store.save_setting("switches", self.switches.model_dump())

    def change_switches(self, sent: Mapping[str, Any]) -> None:
        """Set the named switches and leave the others as they are; raises as `set_switches`."""
        self.set_switches({**self.switches.model_dump(), **sent})

    def set_faults(self, sent: Mapping[str, Any]) -> None:
        """Set how calls fail; an empty mapping ends all faults. Raises as `set_switches`."""
        self.faults = read(Faults, sent)
        self._store.save_setting("faults", self.faults.model_dump())
        if not self.faults.hang_s:
            self._hang_ends.set()
            self._hang_ends = asyncio.Event()

    async def hang(self, fault: Faults) -> None:
        """Wait as long as the fault says, or until the fault is ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hang_ends.wait(), fault.hang_s)

    def take_fault(self) -> Faults:
        """Return the fault of the current call, and count it."""
        fault = self.faults
        if not fault.is_on:
            return Faults()
        if fault.next is not None:
            self.set_faults({**fault.model_dump(), "next": fault.next - 1})
        return fault

    def drops_event(self) -> bool:
        """Return whether the current event is dropped, and count it."""
        drop = self.switches.drop
        if drop in {"all", -1}:
            return True
        if drop == 0:
            return False
        self.change_switches({"drop": int(drop) - 1})
        return True


def _saved(kind: type[_P], saved: Mapping[str, Any]) -> _P:
    """Read a saved setting without the fields that this version does not know."""
    return kind.model_validate({name: value for name, value in saved.items() if name in kind.model_fields})
