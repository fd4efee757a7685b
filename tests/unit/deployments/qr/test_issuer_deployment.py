import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import structlog

from deployments.qr.passes import ImageKind
from domain.door.model import PassStatus
from integrations.pass_keys import PassKeyError, ensure_pass_key
from integrations.settings import settings


@pytest.fixture
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()
    structlog.reset_defaults()  # a replica says where its process logs to


def replica() -> Any:  # noqa: ANN401 - the class as it is without Serve around it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, while it is imported
        from deployments.qr.issuer_deployment import QrIssuer  # noqa: PLC0415 - see above
    return cast("Any", QrIssuer).func_or_class()


@pytest.mark.usefixtures("_settings")
def test_without_keys_a_replica_does_not_start() -> None:
    with pytest.raises(PassKeyError):
        replica()


@pytest.mark.usefixtures("_settings")
def test_a_pass_that_was_issued_can_be_read_and_drawn() -> None:
    key_dir = settings().passes.key_dir
    assert key_dir is not None
    ensure_pass_key(key_dir)
    issuer = replica()
    issuer.ping()
    member_id = uuid4()
    [issued] = issuer.issue(member_id)
    assert issuer.image(member_id, ImageKind.PNG).startswith(b"\x89PNG")
    reading = issuer.read(issued.code)
    assert (reading.status, reading.member_id) == (PassStatus.VALID, member_id)
    assert len(issuer.public_keys()) == 1
    issuer.__del__()
