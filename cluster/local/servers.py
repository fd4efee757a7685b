"""The servers of a stack: which ones its settings need, and the settings by which other processes find them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.local.image_server import ImageServer
from cluster.local.install import install_servers
from cluster.local.ports import LOOPBACK, PortBlock, is_free
from cluster.local.process import ChildProcess
from cluster.local.server import Server
from cluster.local.stripe_sandbox.process import StripeSandbox
from integrations.settings import KafkaSettings, Profile, Settings

# Fixed in the mock broker of librdkafka.
_MOCK_PARTITIONS = 4


class MockBroker(Server):
    """Kafka of the embedded profile, in memory."""

    keeps_address = False

    def __init__(self, folder: Path, log_file: Path, kafka: KafkaSettings) -> None:
        self._address_file = folder / "mock-broker.address"
        arguments = [self._address_file, *kafka.topics]
        super().__init__(ChildProcess.of_module("mock broker", "cluster.local.mock_broker", arguments, log_file))

    def launch(self) -> None:
        """See `Server`."""
        self._address_file.unlink(missing_ok=True)
        super().launch()

    def wait(self) -> None:
        """Wait until it has written its address."""
        self.process.wait_until(self._address_file.exists, timeout_s=30)

    def environment(self) -> Mapping[str, str]:
        """Return its address and its number of partitions."""
        return {
            "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": self._address_file.read_text(encoding="utf-8"),
            "FITMONITOR_KAFKA__COMMANDS_PARTITIONS": str(_MOCK_PARTITIONS),
            "FITMONITOR_KAFKA__REPLIES_PARTITIONS": str(_MOCK_PARTITIONS),
        }


class MailServer(Server):
    """Mail of the full profile: messages are written to a folder."""

    def __init__(self, folder: Path, log_file: Path, port: int) -> None:
        self._port = port
        super().__init__(ChildProcess.of_module("mail server", "cluster.local.mail_server", [port, folder], log_file))

    def wait(self) -> None:
        """Wait until it listens."""
        self.process.wait_until(lambda: not is_free(self._port), timeout_s=30)

    def environment(self) -> Mapping[str, str]:
        """Return its address."""
        return {
            "FITMONITOR_MAIL__SMTP_HOST": LOOPBACK,
            "FITMONITOR_MAIL__SMTP_PORT": str(self._port),
            "FITMONITOR_MAIL__SMTP_STARTTLS": "false",
        }


def servers_of(settings: Settings, run_dir: Path, ports: PortBlock) -> Sequence[Server]:
    """Create the servers that the settings do not name."""
    servers = _full(settings, ports) if settings.profile is Profile.FULL else _embedded(settings, run_dir)
    if not settings.stripe.api_key.get_secret_value():
        webhooks = f"http://{LOOPBACK}:{settings.port}/api/payments/webhooks"
        log_file = settings.data_dir / "logs" / "stripe-sandbox.log"
        servers.append(StripeSandbox(log_file, settings.data_dir / "stripe-sandbox", ports.one(), webhooks))
    return servers


def _full(settings: Settings, ports: PortBlock) -> list[Server]:
    install_servers()
    # Imported here, so that the supervisor of an embedded stack stays small.
    from cluster.local.kafka import KafkaServer  # noqa: PLC0415
    from cluster.local.mariadb import MariaDbServer  # noqa: PLC0415

    servers: list[Server] = []
    if not settings.database.url.get_secret_value():
        servers.append(MariaDbServer(settings.data_dir / "mariadb", ports.one()))
    if not settings.kafka.bootstrap_servers:
        servers.append(KafkaServer(settings.data_dir / "kafka", ports.take(2)[0]))
    if not settings.mail.smtp_host:
        folder = settings.mail.folder or settings.data_dir / "mail"
        log_file = settings.data_dir / "logs" / "mail-server.log"
        servers.append(MailServer(folder.absolute(), log_file, ports.one()))
    if not settings.images.bucket:
        log_file = settings.data_dir / "logs" / "image-server.log"
        servers.append(ImageServer(log_file, ports.one(), has_archive=not settings.archive.url))
    return servers


def _embedded(settings: Settings, run_dir: Path) -> list[Server]:
    if settings.kafka.bootstrap_servers:
        return []
    return [MockBroker(run_dir, settings.data_dir / "logs" / "mock-broker.log", settings.kafka)]
