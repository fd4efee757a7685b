"""An Apache Kafka broker: one KRaft node on loopback, with its data in a folder."""

import base64
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cluster.errors import CommandError
from cluster.local.install import kafka_lib, program
from cluster.local.ports import LOOPBACK, free_ports
from cluster.local.process import ChildProcess
from cluster.local.server import Server

# After a kill the broker cannot register again before its session ends, and the partitions of a killed consumer wait
# for the end of its group session (both group protocols are set). Hence the short timeouts.
_CONFIG = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
log.dirs={files}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.session.timeout.ms=1000
group.consumer.heartbeat.interval.ms=2000
group.consumer.min.heartbeat.interval.ms=500
"""
# For the few hundred messages per second of one machine: the second compiler costs more than it saves (two thirds of
# the broker's CPU time in its first minutes), and a small heap needs no concurrent garbage collector.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_LOGGING = """rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c %m%n
"""


class KafkaServer(Server):
    """One Kafka node. A restart keeps its data and its ports.

    Args:
        data_dir: its folder; is created at the first start.
        port: for clients, on loopback; the controller uses the next one (default: free ports).
        heap: maximum heap of the JVM.
    """

    def __init__(self, data_dir: Path, port: int | None = None, heap: str = "1g") -> None:
        self.data_dir = data_dir.absolute()
        self.port = port or free_ports(2)[0]
        self._heap = heap
        self._files = self.data_dir / "files"
        self._config = self.data_dir / "server.properties"
        super().__init__(ChildProcess("Kafka", [], self.data_dir / "kafka.log"))

    def launch(self) -> None:
        """See `Server`; a new folder is formatted first."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            _CONFIG.format(host=LOOPBACK, port=self.port, controller_port=self.port + 1, files=self._files),
            encoding="utf-8",
        )
        (self.data_dir / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        if not (self._files / "meta.properties").exists():
            self._format()
        self.process.command = [*self._java(f"-Xmx{self._heap}", *_JVM), "kafka.Kafka", str(self._config)]
        super().launch()

    def wait(self) -> None:
        """Wait until it answers clients."""
        self.process.wait_until(self.is_ready, timeout_s=60)

    def environment(self) -> Mapping[str, str]:
        """Return the setting by which other processes find it."""
        return {"FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers}

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"{LOOPBACK}:{self.port}"

    def is_ready(self) -> bool:
        """Return whether the broker lists its topics."""
        # `log_level` 0: refused connections are expected here.
        client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _java(self, *options: str) -> list[str]:
        java = program("java")
        if java is None or not kafka_lib().is_dir():
            raise CommandError("Java or Apache Kafka is missing", "python -m cluster.local.install")
        logging = f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.properties'}"
        return [str(java), *options, logging, "-cp", f"{kafka_lib()}/*"]

    def _format(self) -> None:
        # What the tool's `random-uuid` creates, without another JVM; Kafka accepts no leading dash.
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        tool = [*self._java("-Xmx128m"), "kafka.tools.StorageTool"]
        formatted = subprocess.run(  # noqa: S603 - composed above
            [*tool, "format", "-t", cluster_id, "-c", str(self._config)], capture_output=True, check=False
        )
        if formatted.returncode:
            log = self.data_dir / "format.log"
            log.write_bytes(formatted.stdout + formatted.stderr)
            raise CommandError("Kafka's folder could not be formatted", f"read {log}")
