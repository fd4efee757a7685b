"""The services of the Gym deployment."""

from dataclasses import dataclass

from deployments.gym.devices import DeviceService, PairingService
from deployments.gym.door_records import DoorRecordService
from deployments.gym.gates import GateService
from deployments.gym.gyms import GymService
from deployments.gym.image_publisher import ImagePublisher
from deployments.gym.legacy_numbers import LegacyNumberService
from deployments.gym.live import LiveService
from deployments.gym.machines import MachineService
from deployments.gym.pictures import PictureService
from deployments.service_host import HealthService
from domain.clock import Clock, system_clock
from domain.images.ports import ImageStore
from domain.unit_of_work import Store
from integrations.settings import ImageSettings

AnyGymService = (
    GymService
    | GateService
    | DeviceService
    | PairingService
    | MachineService
    | PictureService
    | DoorRecordService
    | LiveService
    | LegacyNumberService
    | HealthService
)


@dataclass(frozen=True, slots=True)
class GymServices:
    """One of each."""

    gyms: GymService
    gates: GateService
    devices: DeviceService
    pairings: PairingService
    machines: MachineService
    pictures: PictureService
    door_records: DoorRecordService
    live: LiveService
    legacy_numbers: LegacyNumberService
    health: HealthService


def gym_services(
    store: Store,
    clock: Clock = system_clock,
    *,
    images: ImageStore | None = None,
    image_settings: ImageSettings | None = None,
) -> GymServices:
    """Create the services on one database.

    Args:
        images: where pictures are kept; None refuses every picture as `images_away`.
    """
    publisher = ImagePublisher(images, (image_settings or ImageSettings()).max_pixels)
    return GymServices(
        gyms=GymService(store, clock),
        gates=GateService(store, clock),
        devices=DeviceService(store, clock),
        pairings=PairingService(store, clock),
        machines=MachineService(store, clock, publisher),
        pictures=PictureService(store, publisher),
        door_records=DoorRecordService(store, clock),
        live=LiveService(store, clock),
        legacy_numbers=LegacyNumberService(store, clock),
        health=HealthService(store),
    )
