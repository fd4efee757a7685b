"""What the Gym deployment answers about gates, their devices, and how devices are paired."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from deployments.keyed_call import KeyedCall
from deployments.store_desk import StoreDesk
from domain.gyms import gate_service, pairing_service
from domain.gyms.gate_service import UNKNOWN_GATE
from domain.gyms.model import (
    Device,
    DeviceAtGate,
    DeviceKey,
    DeviceSighting,
    Gate,
    GymRefusal,
    NewDevice,
    Serves,
)
from domain.gyms.pairing_service import Pairing, PairingRepository
from domain.gyms.repository import GymRepository
from domain.gyms.service import UNKNOWN_GYM
from domain.paging import Page, PageRequest
from integrations.rendering.pass_images import svg


@dataclass(frozen=True, slots=True)
class IssuedPairing:
    """A pairing with its code, which is shown this once: as text, as an address, and as that address in a QR code."""

    pairing: Pairing
    code: str
    url: str
    qr_svg: str


class GatesDesk(StoreDesk):
    """Gates and devices. `expected` is always the version that was read; None: any."""

    def device_keys(self, device_ids: Collection[UUID]) -> dict[UUID, DeviceKey]:
        """What is needed to recognise those devices that are in use."""
        with self._reading() as connection:
            return GymRepository(connection).device_keys(device_ids)

    def gates_by_id(self, gate_ids: Collection[UUID]) -> dict[UUID, Gate]:
        """Those of the gates that are in use."""
        with self._reading() as connection:
            return GymRepository(connection).gates_by_id(gate_ids)

    def gates(self, gym_id: UUID, request: PageRequest) -> Page[Gate] | GymRefusal:
        """The gates of a gym."""
        with self._reading() as connection:
            repository = GymRepository(connection)
            return UNKNOWN_GYM if repository.gym(gym_id, retired=True) is None else repository.gates(gym_id, request)

    def gate(self, gate_id: UUID) -> Gate | GymRefusal:
        """One gate."""
        with self._reading() as connection:
            return GymRepository(connection).gate(gate_id) or UNKNOWN_GATE

    def gate_of_numbered_gym(self, number: int) -> Gate | None:
        """The oldest gate of both directions of the gym that has a small running number."""
        with self._reading() as connection:
            return GymRepository(connection).gate_of_numbered_gym(number)

    def create_gate(
        self, gym_id: UUID, name: str, serves: Serves, *, call: KeyedCall | None = None
    ) -> Gate | GymRefusal:
        """Give a gym another gate."""
        return self._written_once(
            call,
            Gate,
            lambda connection: gate_service.create_gate(GymRepository(connection), gym_id, name, serves, self._clock()),
        )

    def change_gate(
        self, gate_id: UUID, name: str | None, serves: Serves | None, expected: int | None
    ) -> Gate | GymRefusal:
        """Change a gate's name or the ways it serves; None leaves them."""
        return self._written(
            lambda connection: gate_service.change_gate(GymRepository(connection), gate_id, name, serves, expected)
        )

    def retire_gate(self, gate_id: UUID, expected: int | None) -> GymRefusal | None:
        """Use a gate and its devices no more."""
        return self._written(
            lambda connection: gate_service.retire_gate(GymRepository(connection), gate_id, expected, self._clock())
        )

    def devices(self, gate_id: UUID, request: PageRequest) -> Page[Device] | GymRefusal:
        """The devices of a gate."""
        with self._reading() as connection:
            repository = GymRepository(connection)
            return UNKNOWN_GATE if repository.gate(gate_id) is None else repository.devices_of(gate_id, request)

    def devices_at(self, gym_id: UUID, request: PageRequest) -> Page[DeviceAtGate] | GymRefusal:
        """The devices in use of a gym."""
        with self._reading() as connection:
            repository = GymRepository(connection)
            return (
                UNKNOWN_GYM if repository.gym(gym_id, retired=True) is None else repository.devices_at(gym_id, request)
            )

    def devices_seen(self, sightings: Sequence[DeviceSighting]) -> None:
        """Remember when devices were seen last."""
        self._written(lambda connection: GymRepository(connection).devices_seen(sightings))

    def create_device(self, gate_id: UUID, name: str, *, call: KeyedCall | None = None) -> NewDevice | GymRefusal:
        """Give a gate another device."""
        return self._written_once(
            call,
            NewDevice,
            lambda connection: gate_service.create_device(GymRepository(connection), gate_id, name, self._clock()),
        )

    def revoke_device(self, device_id: UUID) -> GymRefusal | None:
        """Take a device's credential back."""
        with self._writing() as connection:
            return gate_service.revoke_device(GymRepository(connection), device_id, self._clock())

    def create_pairing(
        self, gate_id: UUID, name: str, by: UUID, page: str, *, call: KeyedCall | None = None
    ) -> IssuedPairing | GymRefusal:
        """Let whoever shows a new code become a device of a gate.

        Args:
            page: the address at which a code is shown, which follows its `#`: what is behind that is sent nowhere.
        """

        def create(connection: Connection) -> IssuedPairing | GymRefusal:
            made = pairing_service.create_pairing(connection, gate_id, name, by, self._clock())
            if isinstance(made, GymRefusal):
                return made
            waiting, code = made
            url = f"{page}#{code}"
            return IssuedPairing(waiting, code, url, svg(url).decode())

        return self._written_once(call, IssuedPairing, create)

    def pairings(self, gate_id: UUID, request: PageRequest) -> Page[Pairing] | GymRefusal:
        """The pairings of a gate that wait for their devices."""
        with self._reading() as connection:
            if GymRepository(connection).gate(gate_id) is None:
                return UNKNOWN_GATE
            return PairingRepository(connection).waiting(gate_id, self._clock(), request)

    def claim_pairing(self, code: str, *, call: KeyedCall | None = None) -> NewDevice | GymRefusal:
        """Make the device of a code, once."""
        return self._written_once(
            call, NewDevice, lambda connection: pairing_service.claim_pairing(connection, code, self._clock())
        )

    def withdraw_pairing(self, pairing_id: UUID) -> GymRefusal | None:
        """Take a code back before anybody has claimed it."""
        return self._written(lambda connection: pairing_service.withdraw_pairing(connection, pairing_id, self._clock()))
