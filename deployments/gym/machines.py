"""The service of machines. The door decides about their use."""

from uuid import UUID

from deployments.gym.image_publisher import ImagePublisher
from deployments.idempotent_calls import IdempotentCall, write_once
from domain.clock import Clock
from domain.gyms.model import UNKNOWN_GYM, GymRefusal
from domain.gyms.repository import GymRepository
from domain.images.model import ImagePrefix, ImageRefusal
from domain.machines import service
from domain.machines.model import UNKNOWN_MACHINE, Machine, MachineChange, MachineFilter, MachineText
from domain.machines.repository import MachineRepository
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store
from integrations.rendering.labels import Label, label_picture, label_sheets

_MOST_LABELS = 960  # forty sheets


class MachineService:
    """Machines. `expected_version` is the version that the caller has read; None accepts any version."""

    def __init__(self, store: Store, clock: Clock, publisher: ImagePublisher) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher

    def machines(
        self, gym_id: UUID, filters: MachineFilter, request: PageRequest, *, retired_gym: bool = False
    ) -> Page[Machine] | GymRefusal:
        """The machines of a gym in operation; with `retired_gym` also of one that is not."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id, retired=retired_gym) is None:
                return UNKNOWN_GYM
            return MachineRepository(connection).machines(gym_id, filters, request)

    def machine(self, machine_id: UUID) -> Machine | GymRefusal:
        """One machine, retired ones too."""
        with self._store.reading() as connection:
            return MachineRepository(connection).machine(machine_id) or UNKNOWN_MACHINE

    def create(
        self, gym_id: UUID, text: MachineText, upload: str, *, call: IdempotentCall | None = None
    ) -> Machine | GymRefusal | ImageRefusal:
        """Create a machine with an uploaded picture."""
        with self._store.reading() as connection:
            if GymRepository(connection).gym(gym_id) is None:
                return UNKNOWN_GYM
        image = self._publisher.publish(upload, ImagePrefix.MACHINES)
        if isinstance(image, ImageRefusal):
            return image
        return write_once(
            self._store,
            call,
            Machine,
            lambda connection: service.create_machine(connection, gym_id, text, image, self._clock()),
        )

    def edit(self, machine_id: UUID, change: MachineChange, expected_version: int | None) -> Machine | GymRefusal:
        """Change the texts of a machine."""
        return self._store.written(
            lambda connection: service.edit_machine(connection, machine_id, change, expected_version)
        )

    def set_image(
        self, machine_id: UUID, upload: str, expected_version: int | None
    ) -> Machine | GymRefusal | ImageRefusal:
        """Replace the picture of a machine by an upload."""
        found = self.machine(machine_id)
        image = self._publisher.publish(upload, ImagePrefix.MACHINES) if isinstance(found, Machine) else found
        if isinstance(image, GymRefusal | ImageRefusal):
            return image
        return self._store.written(
            lambda connection: service.set_image(connection, machine_id, image, expected_version)
        )

    def set_out_of_order(self, machine_id: UUID, reason: str | None) -> Machine | GymRefusal:
        """Mark a machine as out of order with a reason; None: it works again."""
        return self._store.written(
            lambda connection: service.set_out_of_order(connection, machine_id, reason, self._clock())
        )

    def set_retired(self, machine_id: UUID, retired: bool) -> Machine | GymRefusal:  # noqa: FBT001 - crosses a handle
        """Retire a machine or bring it back into service."""
        return self._store.written(
            lambda connection: service.set_retired(connection, machine_id, retired=retired, now=self._clock())
        )

    def delete(self, machine_id: UUID, expected_version: int | None) -> GymRefusal | None:
        """Delete a machine that nobody uses."""
        return self._store.written(lambda connection: service.delete_machine(connection, machine_id, expected_version))

    def label(self, machine_id: UUID, public_url: str) -> bytes | GymRefusal:
        """The label of a machine as a PNG: name, type, and a QR code of its URL."""
        found = self.machine(machine_id)
        return found if isinstance(found, GymRefusal) else label_picture(_label(found, public_url))

    def labels(self, gym_id: UUID, public_url: str) -> bytes | GymRefusal:
        """The labels of all machines in service of a gym as a PDF, 24 on a sheet."""
        found = self.machines(gym_id, MachineFilter(), PageRequest(_MOST_LABELS), retired_gym=True)
        if isinstance(found, GymRefusal):
            return found
        return label_sheets([_label(machine, public_url) for machine in found.items])


def _label(machine: Machine, public_url: str) -> Label:
    return Label(machine.name, f"{machine.type} · {machine.legacy_number}", f"{public_url}/machines/{machine.id}")
