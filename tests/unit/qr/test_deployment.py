import asyncio
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import structlog
from confluent_kafka import Consumer, Producer, TopicPartition

from deployments.qr.passes import ImageKind
from deployments.qr.questions import ScanQuestion, decode_produced, encode_questions
from domain.door.model import Direction, PassStatus
from domain.ids import new_id
from integrations.kafka.messages import ReplyTo, ScanCommand, decode_command
from integrations.pass_keys import PassKeyError, ensure_pass_key
from integrations.settings import settings


@pytest.fixture
def broker() -> Iterator[str]:
    host = Producer({"test.mock.num.brokers": 1})
    [metadata] = host.list_topics(timeout=5).brokers.values()
    yield f"{metadata.host}:{metadata.port}"
    host.flush(1)


@pytest.fixture
def _settings(tmp_path: Path, broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FITMONITOR_KAFKA__BOOTSTRAP_SERVERS", broker)
    settings.cache_clear()
    yield
    settings.cache_clear()
    structlog.reset_defaults()  # a replica says where its process logs to


def replica() -> Any:  # noqa: ANN401 - the class as it is without Serve around it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, while it is imported
        from deployments.qr.issuer_deployment import Qr  # noqa: PLC0415 - see above
    return cast("Any", Qr).func_or_class()


@pytest.mark.usefixtures("_settings")
def test_without_keys_a_replica_does_not_start() -> None:
    with pytest.raises(PassKeyError):
        replica()


@pytest.mark.usefixtures("_settings")
def test_a_pass_that_was_issued_is_read_and_sent_to_the_door(broker: str) -> None:
    key_dir = settings().passes.key_dir
    assert key_dir is not None
    ensure_pass_key(key_dir)
    qr = replica()
    qr.ping()
    member_id = uuid4()
    [issued] = qr.issue(member_id)
    assert qr.image(member_id, ImageKind.PNG).startswith(b"\x89PNG")
    now = datetime.now(UTC)
    question = ScanQuestion(
        command_id=new_id(),
        reply_to=ReplyTo("gateway#1", 0),
        scan_id="s",
        asked_by=uuid4(),
        gym_id=uuid4(),
        gate_id=uuid4(),
        direction=Direction.ENTER,
        code=issued.code,
        arrived_at=now,
        decide_by=now + timedelta(seconds=2),
    )
    assert decode_produced(asyncio.run(qr.check(encode_questions([question]))), 1) == [True]
    command = one_command(broker)
    assert command.command_id == question.command_id
    assert (command.scan.reading.status, command.scan.reading.member_id) == (PassStatus.VALID, member_id)
    qr.__del__()


def one_command(broker: str) -> ScanCommand:
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "test", "auto.offset.reset": "earliest"})
    partitions = range(4)  # what the mock broker makes of a topic
    consumer.assign([TopicPartition("door-commands", partition, 0) for partition in partitions])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert message.error() is None
    command = decode_command(message.value() or b"")
    assert isinstance(command, ScanCommand)
    return command
