from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
import zxingcpp
from PIL import Image

from deployments.qr.passes import ImageKind, Passes
from domain.door.model import PassReading, PassStatus
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key

MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
NOW = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
ISSUED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    ensure_pass_key(tmp_path)
    return Passes(PassSigner(tmp_path))


def test_codes_ahead_are_each_genuine_and_good_in_their_own_window(passes: Passes, tmp_path: Path) -> None:
    issued = passes.issue(MEMBER, NOW, 40)
    verifier = PassVerifier(tmp_path)
    assert [each.issued_at for each in issued] == [ISSUED + timedelta(seconds=15 * number) for number in range(40)]
    for each in issued:
        assert verifier.read(each.code, each.good_from) == PassReading(PassStatus.VALID, MEMBER, each.issued_at)
        assert verifier.read(each.code, each.good_until).status is PassStatus.VALID
        assert verifier.read(each.code, each.good_until + timedelta(seconds=1)).status is PassStatus.STALE
    assert sum(len(each.code) for each in issued) < 8192


def test_more_than_ten_minutes_ahead_are_refused(passes: Passes) -> None:
    with pytest.raises(ValueError, match="between 1 and 40"):
        passes.issue(MEMBER, NOW, 41)


def test_the_picture_shows_the_present_code(passes: Passes) -> None:
    [issued] = passes.issue(MEMBER, NOW)
    picture = Image.open(BytesIO(passes.image(MEMBER, NOW, ImageKind.PNG, 300)))
    assert picture.size == (300, 300)
    found = zxingcpp.read_barcode(picture)
    assert found is not None
    assert found.text == issued.code


def test_a_long_lived_pass_can_be_read_from_the_smallest_picture(passes: Passes, tmp_path: Path) -> None:
    drawn = passes.image(MEMBER, NOW, ImageKind.PNG, 300, timedelta(seconds=900))
    found = zxingcpp.read_barcode(Image.open(BytesIO(drawn)))
    assert found is not None
    late = ISSUED + timedelta(seconds=900)
    assert PassVerifier(tmp_path).read(found.text, late) == PassReading(PassStatus.VALID, MEMBER, ISSUED, 900)


def test_the_svg_is_one(passes: Passes) -> None:
    assert passes.image(MEMBER, NOW, ImageKind.SVG).startswith(b"<svg ")
