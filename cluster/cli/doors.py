"""Which gate a scan from the command line is made at, and with which device's credential."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cluster.demo import read_demo
from cluster.errors import CommandError
from domain.text import comparison_key
from integrations.settings import Settings

DEVICE_VARIABLE = "FITMONITOR_DEVICE"


@dataclass(frozen=True, slots=True)
class Door:
    """A gate and the credential `<id>.<secret>` of a device that may scan there."""

    gate_id: str
    credential: str = field(repr=False)


def choose_door(settings: Settings, gate: str | None, device: str | None) -> Door:
    """The gate that was asked for, else the demo's first one that serves both ways.

    Args:
        settings: of the stack; the demo's file lies in its data folder.
        gate: an id; or of the demo's gates a name, or a gym's and a gate's name with `/` between.
        device: a credential; else FITMONITOR_DEVICE, else the one of the demo's gate.

    Raises:
        CommandError: there is no such gate, or no credential for it.
    """
    found = _find(list(_demo_gates(settings)), gate)
    gate_id = found["id"] if found else _as_id(gate)
    credential = device or os.environ.get(DEVICE_VARIABLE) or (found["device"] if found else "")
    if not credential:
        raise CommandError(
            "no device's credential is known for this gate", f"name one by --device or {DEVICE_VARIABLE}"
        )
    return Door(gate_id, credential)


def _demo_gates(settings: Settings) -> Iterator[dict[str, Any]]:
    try:
        demo = read_demo(settings) or {"gyms": []}
        for gym in demo["gyms"]:
            for gate in gym["gates"]:
                yield {**gate, "gym": gym["name"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            "demo.json in the data folder cannot be read", "make it anew: `fitmonitor up --demo`"
        ) from error


def _find(gates: list[dict[str, Any]], wanted: str | None) -> dict[str, Any] | None:
    if wanted is None:
        return next((gate for gate in gates if gate["serves"] == "both"), None)
    named = comparison_key(wanted)
    return next(
        (
            gate
            for gate in gates
            if named in {gate["id"], *map(comparison_key, (gate["name"], f"{gate['gym']}/{gate['name']}"))}
        ),
        None,
    )


def _as_id(gate: str | None) -> str:
    if gate is None:
        raise CommandError(
            "no gate is named and there is no demo", "name a gate's id by --gate, or `fitmonitor up --demo`"
        )
    try:
        return str(UUID(gate))
    except ValueError as error:
        raise CommandError(f"there is no gate {gate}", "name a gate's id, or one of the names in demo.json") from error
