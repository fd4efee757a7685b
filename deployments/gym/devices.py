"""The services of devices at gates, and of pairing codes for new devices."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from deployments.idempotent_calls import IdempotentCall, write_once
from domain.clock import Clock
from domain.gyms import gate_service, pairing_service
from domain.gyms.gate_repository import GateRepository
from domain.gyms.model import (
    UNKNOWN_GATE,
    UNKNOWN_GYM,
    Device,
    DeviceAtGate,
    DeviceKey,
    DeviceSighting,
    GymRefusal,
    NewDevice,
    Pairing,
)
from domain.gyms.pairing_repository import PairingRepository
from domain.gyms.repository import GymRepository
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store
from integrations.rendering.pass_images import svg


class DeviceService:
    """Devices that scan at gates."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keys(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceKey]:
        """What authenticates those of the devices that are in use."""
        with self._store.reading() as connection:
            return GateRepository(connection).device_keys(device_ids)

    def devices(self, gate_id: UUID, request: PageRequest) -> Page[Device] | GymRefusal:
        """The devices of a gate."""
        with self._store.reading() as connection:
            gates = GateRepository(connection)
            return UNKNOWN_GATE if gates.gate(gate_id) is None else gates.devices_of(gate_id, request)

    def devices_at(self, gym_id: UUID, request: PageRequest) -> Page[DeviceAtGate] | GymRefusal:
        """The devices in use of a gym."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=True) is None:
                return UNKNOWN_GYM
            return GateRepository(connection).devices_at(gym_id, request)

    def mark_seen(self, sightings: Sequence[DeviceSighting]) -> None:
        """Store when devices last sent a request."""
        self._store.written(lambda connection: GateRepository(connection).devices_seen(sightings))

    def create(self, gate_id: UUID, name: str, *, call: IdempotentCall | None = None) -> NewDevice | GymRefusal:
        """Create a device at a gate."""
        return write_once(
            self._store,
            call,
            NewDevice,
            lambda connection: gate_service.create_device(connection, gate_id, name, self._clock()),
        )

    def revoke(self, device_id: UUID) -> GymRefusal | None:
        """Revoke the credential of a device."""
        return self._store.written(lambda connection: gate_service.revoke_device(connection, device_id, self._clock()))


@dataclass(frozen=True, slots=True)
class IssuedPairing:
    """A pairing with its code, which is shown only once: as text, as a URL, and as a QR code of that URL."""

    pairing: Pairing
    code: str
    url: str
    qr_svg: str


class PairingService:
    """Codes that become a device of a gate when they are claimed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(
        self, gate_id: UUID, name: str, by: UUID, page: str, *, call: IdempotentCall | None = None
    ) -> IssuedPairing | GymRefusal:
        """Create a pairing code.

        Args:
            page: URL of the pairing page. The code follows its `#`, so that no server logs it.
        """

        def create(connection: Connection) -> IssuedPairing | GymRefusal:
            made = pairing_service.create_pairing(connection, gate_id, name, by, self._clock())
            if isinstance(made, GymRefusal):
                return made
            pairing, code = made
            url = f"{page}#{code}"
            return IssuedPairing(pairing, code, url, svg(url).decode())

        return write_once(self._store, call, IssuedPairing, create)

    def open_pairings(self, gate_id: UUID, request: PageRequest) -> Page[Pairing] | GymRefusal:
        """The pairings of a gate that nobody has claimed yet."""
        with self._store.reading() as connection:
            if GateRepository(connection).gate(gate_id) is None:
                return UNKNOWN_GATE
            return PairingRepository(connection).waiting(gate_id, self._clock(), request)

    def claim(self, code: str, *, call: IdempotentCall | None = None) -> NewDevice | GymRefusal:
        """Create the device of a code, once."""
        return write_once(
            self._store,
            call,
            NewDevice,
            lambda connection: pairing_service.claim_pairing(connection, code, self._clock()),
        )

    def withdraw(self, pairing_id: UUID) -> GymRefusal | None:
        """Withdraw a code that nobody has claimed."""
        return self._store.written(
            lambda connection: pairing_service.withdraw_pairing(connection, pairing_id, self._clock())
        )
