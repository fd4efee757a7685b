"""What the scanner's own verification makes of a scanned code, with real keys."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import jwt
import pytest

from domain.door.model import PassReading, PassStatus
from domain.passes import subject_of
from integrations.kafka.messages import OfflineScanCommand
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key
from tests.unit.deployments.harness import Harness
from tests.world import START

pytestmark = pytest.mark.anyio

MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Keys:
    """A harness whose scans are verified with real keys."""

    def __init__(self, harness: Harness, key_dir: Path) -> None:
        ensure_pass_key(key_dir)
        self.harness = harness
        self.code = PassSigner(key_dir).sign(MEMBER, START)
        harness.verify_with(PassVerifier(key_dir))

    async def reading(self, code: str) -> PassReading:
        """What the door is told of a code."""
        await self.harness.scan(self.harness.gym_with_gate(), code)
        return self.harness.producer.scans[-1].reading


@pytest.fixture
def keys(harness: Harness, tmp_path: Path) -> Keys:
    return Keys(harness, tmp_path / "passes")


@pytest.mark.parametrize(("after_s", "status"), [(0, PassStatus.VALID), (45, PassStatus.VALID), (46, PassStatus.STALE)])
async def test_the_door_is_told_whose_a_pass_is_and_whether_it_is_good_at_its_arrival(
    keys: Keys, after_s: int, status: PassStatus
) -> None:
    keys.harness.world.clock.forward(after_s)
    reading = await keys.reading(keys.code)
    assert (reading.status, reading.member_id, reading.issued_at) == (status, MEMBER, START)


@pytest.mark.parametrize("code", ["", "hello", "a.b.c", "\0", "ü" * 100, "x" * 2048])
async def test_what_is_no_pass_goes_to_the_door_as_forged_and_names_nobody(keys: Keys, code: str) -> None:
    assert await keys.reading(code) == PassReading(PassStatus.FORGED)


async def test_an_uploaded_code_is_read_as_of_its_upload(keys: Keys) -> None:
    at = keys.harness.gym_with_gate()
    keys.harness.world.clock.forward(timedelta(hours=2).total_seconds())
    scan = {"code": keys.code, "gate_id": str(at.gate), "direction": "leave", "scan_id": "s"}
    scan["scanned_at"] = START.isoformat()
    await keys.harness.client.post("/scans/offline", json={"scans": [scan]}, headers=at.headers)
    (command,) = keys.harness.producer.sent
    assert isinstance(command, OfflineScanCommand)
    reading = command.offline.scan.reading
    assert (reading.status, reading.member_id, reading.issued_at) == (PassStatus.STALE, MEMBER, START)


def test_public_keys_read_what_was_signed_and_nothing_else(tmp_path: Path) -> None:
    ensure_pass_key(tmp_path)
    code = PassSigner(tmp_path).sign(MEMBER, NOON)
    ((key_id, key),) = PassVerifier(tmp_path).public_keys().items()
    known = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": key_id, "x": key})
    assert jwt.get_unverified_header(code)["kid"] == key_id
    read = jwt.decode(code, known, algorithms=["EdDSA"], options={"verify_iat": False})
    assert read == {"sub": subject_of(MEMBER), "iat": int(NOON.timestamp())}
