"""What the Gym deployment answers about machines; their use goes by the door."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from deployments.gym.picture_desk import PictureDesk
from deployments.keyed_call import KeyedCall
from domain.gyms.model import GymRefusal
from domain.gyms.repository import GymRepository
from domain.gyms.service import UNKNOWN_GYM
from domain.images.model import ImageRefusal, Shelf
from domain.machines import service
from domain.machines.model import Machine, MachineChange, MachineFilter, MachineText
from domain.machines.repository import MachineRepository
from domain.paging import Page, PageRequest
from integrations.rendering.labels import Label, label_picture, label_sheets

T = TypeVar("T")

_MOST_LABELS = 960  # forty sheets


class MachineDesk(PictureDesk):
    """Answers about machines; arguments as of `PictureDesk`."""

    def machines(
        self, gym_id: UUID, wanted: MachineFilter, request: PageRequest, *, retired_gym: bool = False
    ) -> Page[Machine] | GymRefusal:
        """The machines of a gym in operation; with `retired_gym` also of one that is not."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=retired_gym) is None:
                return UNKNOWN_GYM
            return MachineRepository(connection).machines(gym_id, wanted, request)

    def machine(self, machine_id: UUID) -> Machine | GymRefusal:
        """One machine, retired ones too."""
        with self._reading() as connection:
            return MachineRepository(connection).machine(machine_id) or service.UNKNOWN_MACHINE

    def create_machine(
        self, gym_id: UUID, text: MachineText, upload: str, *, call: KeyedCall | None = None
    ) -> Machine | GymRefusal | ImageRefusal:
        """Put another machine into a gym, once its picture, which waits in quarantine, is published."""
        with self._reading() as connection:
            if GymRepository(connection).gym(gym_id) is None:
                return UNKNOWN_GYM
        image = self._published(upload, Shelf.MACHINES)
        if isinstance(image, ImageRefusal):
            return image
        return self._written_once(
            call,
            Machine,
            lambda connection: service.create_machine(
                GymRepository(connection), MachineRepository(connection), gym_id, text, image, self._clock()
            ),
        )

    def edit_machine(
        self, machine_id: UUID, change: MachineChange, expected_version: int | None
    ) -> Machine | GymRefusal:
        """Change what is written of a machine."""
        return self._changed(lambda machines: service.edit_machine(machines, machine_id, change, expected_version))

    def set_machine_image(
        self, machine_id: UUID, upload: str, expected_version: int | None
    ) -> Machine | GymRefusal | ImageRefusal:
        """Give a machine the picture that waits in quarantine."""
        found = self.machine(machine_id)
        image = self._published(upload, Shelf.MACHINES) if isinstance(found, Machine) else found
        if isinstance(image, GymRefusal | ImageRefusal):
            return image
        return self._changed(lambda machines: service.set_image(machines, machine_id, image, expected_version))

    def set_out_of_order(self, machine_id: UUID, reason: str | None) -> Machine | GymRefusal:
        """Say that a machine cannot be used, and why; None: it can again."""
        return self._changed(lambda machines: service.set_out_of_order(machines, machine_id, reason, self._clock()))

    def set_machine_retired(self, machine_id: UUID, retired: bool) -> Machine | GymRefusal:  # noqa: FBT001 - crosses a handle
        """Take a machine out of service or bring it back."""
        return self._changed(
            lambda machines: service.set_retired(machines, machine_id, retired=retired, now=self._clock())
        )

    def delete_machine(self, machine_id: UUID, expected_version: int | None) -> GymRefusal | None:
        """Forget a machine that nobody is on."""
        return self._changed(lambda machines: service.delete_machine(machines, machine_id, expected_version))

    def machine_label(self, machine_id: UUID, public_url: str) -> bytes | GymRefusal:
        """The label of a machine as a PNG: name, type, and a QR code of its address."""
        found = self.machine(machine_id)
        return found if isinstance(found, GymRefusal) else label_picture(_label(found, public_url))

    def machine_labels(self, gym_id: UUID, public_url: str) -> bytes | GymRefusal:
        """The labels of all machines in service of a gym as a PDF, 24 on a sheet."""
        found = self.machines(gym_id, MachineFilter(), PageRequest(_MOST_LABELS), retired_gym=True)
        if isinstance(found, GymRefusal):
            return found
        return label_sheets([_label(machine, public_url) for machine in found.items])

    def _changed(self, use_case: Callable[[MachineRepository], T]) -> T:
        return self._written(lambda connection: use_case(MachineRepository(connection)))


def _label(machine: Machine, public_url: str) -> Label:
    return Label(machine.name, f"{machine.type} · {machine.legacy_number}", f"{public_url}/machines/{machine.id}")
