import json
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import NoReturn
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from domain.door.model import PassReading, PassStatus
from domain.passes import subject_of
from integrations.pass_keys import (
    MAX_CODE_LENGTH,
    PassKeyError,
    PassSigner,
    PassVerifier,
    ensure_pass_key,
    retire_pass_key,
    rotate_pass_key,
)
from integrations.rendering.pass_images import modules
from tests.waiting import wait_until

MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
ISSUED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FORGED = PassReading(PassStatus.FORGED)
robust = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def key_dir(tmp_path: Path) -> Path:
    ensure_pass_key(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def verifier(key_dir: Path) -> PassVerifier:
    return PassVerifier(key_dir)


@pytest.fixture
def code(key_dir: Path) -> str:
    return PassSigner(key_dir).sign(MEMBER, ISSUED)


def private_key(key_dir: Path, key_id: str) -> Ed25519PrivateKey:
    key = load_pem_private_key((key_dir / f"{key_id}.pem").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def signed(key_dir: Path, claims: object, **headers: object) -> str:
    """A code with any claims and headers, signed by the newest key."""
    key_id = ensure_pass_key(key_dir)
    return jwt.PyJWS().encode(
        json.dumps(claims).encode(), private_key(key_dir, key_id), "EdDSA", {"kid": key_id, "typ": None, **headers}
    )


# What a code is


def test_a_fresh_code_is_valid_and_names_its_member(verifier: PassVerifier, code: str) -> None:
    assert verifier.read(code, ISSUED) == PassReading(PassStatus.VALID, MEMBER, ISSUED)


@pytest.mark.parametrize("seconds", [-3600, -11, 46, 3600, 86400 * 400])
def test_a_genuine_code_outside_its_window_is_stale_and_still_names_its_member(
    verifier: PassVerifier, code: str, seconds: int
) -> None:
    arrived_at = ISSUED + timedelta(seconds=seconds)
    assert verifier.read(code, arrived_at) == PassReading(PassStatus.STALE, MEMBER, ISSUED)


def test_a_code_from_a_phone_whose_clock_is_ahead_is_valid(key_dir: Path, verifier: PassVerifier) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    code = PassSigner(key_dir).sign(MEMBER, now + timedelta(seconds=9))
    assert verifier.read(code, now).status is PassStatus.VALID


def test_a_code_has_the_fewest_words_and_fits_a_version_10_picture(code: str) -> None:
    header, claims, _signature = (urlsafe_b64decode(part + "==") for part in code.split("."))
    assert set(json.loads(header)) == {"alg", "kid"}
    assert json.loads(claims) == {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    assert len(code) <= 200
    assert len(modules(code)) <= 10 * 4 + 17 + 8


def test_a_code_is_a_jwt_that_others_can_verify(key_dir: Path, code: str) -> None:
    key = private_key(key_dir, ensure_pass_key(key_dir)).public_key()
    claims = jwt.decode(code, key, ["EdDSA"], options={"verify_iat": False})
    assert claims == {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}


def test_a_long_lived_pass_is_good_for_as_long_as_it_says(key_dir: Path, verifier: PassVerifier) -> None:
    code = PassSigner(key_dir).sign(MEMBER, ISSUED, timedelta(seconds=300))
    for seconds, status in ((-11, "stale"), (-10, "valid"), (46, "valid"), (300, "valid"), (301, "stale")):
        read = verifier.read(code, ISSUED + timedelta(seconds=seconds))
        assert read == PassReading(PassStatus(status), MEMBER, ISSUED, 300), seconds
    assert len(modules(code)) <= 10 * 4 + 17 + 8, "its picture is no finer than that of any other"


def test_the_mark_of_one_code_makes_no_other_last_longer(key_dir: Path, verifier: PassVerifier, code: str) -> None:
    marked = PassSigner(key_dir).sign(MEMBER, ISSUED, timedelta(seconds=900))
    late = ISSUED + timedelta(seconds=46)
    for _ in range(2):  # what was read once is remembered
        assert verifier.read(marked, late).status is PassStatus.VALID
        assert verifier.read(code, late).status is PassStatus.STALE
    header, claims, signature = code.split(".")
    stretched = marked.split(".")[1]
    for forged in (f"{header}.{stretched}.{signature}", f"{header}.{claims}.{marked.split('.')[2]}"):
        assert verifier.read(forged, ISSUED) == FORGED


@pytest.mark.parametrize("ttl", [45, 901, 2**31, 0, -1, "300", 300.5, True, [300], {"s": 300}])
def test_a_mark_beyond_its_bounds_is_no_pass_even_if_it_is_signed(
    key_dir: Path, verifier: PassVerifier, ttl: object
) -> None:
    claims = {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    assert verifier.read(signed(key_dir, claims | {"ttl": 900}), ISSUED).status is PassStatus.VALID
    assert verifier.read(signed(key_dir, claims | {"ttl": ttl}), ISSUED) == FORGED


def test_a_pass_of_any_other_length_of_life_is_not_signed(key_dir: Path, code: str) -> None:
    signer = PassSigner(key_dir)
    for seconds in (44, 901, 0, -1):
        with pytest.raises(ValueError, match="45 to 900 seconds"):
            signer.sign(MEMBER, ISSUED, timedelta(seconds=seconds))
    assert signer.sign(MEMBER, ISSUED, timedelta(seconds=45)) == code, "as long as any other: an ordinary one"


# What a code is not


@robust
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whatever_is_scanned_is_forged_and_never_an_exception(verifier: PassVerifier, text: str) -> None:
    assert verifier.read(text, ISSUED) == FORGED


@robust
@given(data=st.data())
def test_a_code_with_one_letter_changed_is_forged(verifier: PassVerifier, code: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(code) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != code[place]))
    assert verifier.read(code[:place] + letter + code[place + 1 :], ISSUED) == FORGED


@robust
@given(before=st.text(max_size=5), after=st.text(max_size=5))
def test_a_code_with_anything_around_it_is_forged(verifier: PassVerifier, code: str, before: str, after: str) -> None:
    expected = PassStatus.FORGED if before or after else PassStatus.VALID
    assert verifier.read(before + code + after, ISSUED).status is expected


@robust
@given(signature=st.binary(max_size=150) | st.binary(min_size=64, max_size=64))
def test_any_other_signature_is_forged(verifier: PassVerifier, code: str, signature: bytes) -> None:
    signed = code.rpartition(".")[0]
    assert verifier.read(f"{signed}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}", ISSUED) == FORGED


def test_a_signature_has_one_spelling(verifier: PassVerifier, code: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [code[:-1] + letter for letter in alphabet if letter != code[-1]]  # four bits of the last one are spare
    others += [
        code.replace("-", "+"),
        code.replace("_", "/"),
        code[:-3] + "!" + code[-3:],
        code[:-3] + "\n" + code[-3:],
    ]
    assert {verifier.read(other, ISSUED).status for other in others if other != code} == {PassStatus.FORGED}


@pytest.mark.parametrize("padding", ["=", "==", "===", " ", "\n", "\0", "."])
def test_a_code_that_is_padded_is_forged(verifier: PassVerifier, code: str, padding: str) -> None:
    assert verifier.read(code + padding, ISSUED) == FORGED
    assert verifier.read(code.replace(".", padding + "."), ISSUED) == FORGED


@robust
@given(segments=st.lists(st.binary(max_size=90), min_size=1, max_size=5))
def test_a_true_header_before_any_segments_is_forged(verifier: PassVerifier, code: str, segments: list[bytes]) -> None:
    parts = [code.partition(".")[0], *(urlsafe_b64encode(raw).rstrip(b"=").decode() for raw in segments)]
    assert verifier.read(".".join(parts), ISSUED) == FORGED


@pytest.mark.parametrize("claims", [
    {"sub": subject_of(MEMBER)},
    {"iat": 1},
    {"sub": subject_of(MEMBER), "iat": "1"},
    {"sub": subject_of(MEMBER), "iat": True},
    {"sub": subject_of(MEMBER), "iat": 1.5},
    {"sub": subject_of(MEMBER), "iat": None},
    {"sub": subject_of(MEMBER), "iat": -1},
    {"sub": subject_of(MEMBER), "iat": 10**30},
    {"sub": subject_of(MEMBER), "iat": 2**32},
    {"sub": subject_of(MEMBER)[:-1], "iat": 1},
    {"sub": subject_of(MEMBER) + "A", "iat": 1},
    {"sub": str(MEMBER), "iat": 1},
    {"sub": "ä" * 22, "iat": 1},
    {"sub": "A" * 21 + "B", "iat": 1},
    {"sub": 7, "iat": 1},
    [], "text", 7, None,
])  # fmt: skip
def test_signed_claims_of_another_shape_are_forged(key_dir: Path, verifier: PassVerifier, claims: object) -> None:
    assert verifier.read(signed(key_dir, claims), ISSUED) == FORGED


def test_claims_signed_with_our_key_would_be_valid(key_dir: Path, verifier: PassVerifier) -> None:
    claims = {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    assert verifier.read(signed(key_dir, claims), ISSUED).status is PassStatus.VALID


@pytest.mark.parametrize("headers", [
    {"typ": "JWT"}, {"kid": "00000000"}, {"kid": None}, {"b64": False}, {"crit": ["b64"]}, {"x": 1},
])  # fmt: skip
def test_a_header_other_than_ours_is_forged(key_dir: Path, verifier: PassVerifier, headers: dict[str, object]) -> None:
    key_id = ensure_pass_key(key_dir)
    header = {"alg": "EdDSA", "kid": key_id, **headers}
    claims = {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = private_key(key_dir, key_id).sign(b".".join(parts))
    code = b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()
    assert verifier.read(code, ISSUED) == FORGED


def test_a_code_without_a_signature_is_forged(key_dir: Path, verifier: PassVerifier) -> None:
    claims = {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    key_id = ensure_pass_key(key_dir)
    assert verifier.read(jwt.encode(claims, "", "none", {"kid": key_id}), ISSUED) == FORGED
    head, body, _ = signed(key_dir, claims).split(".")
    assert verifier.read(f"{head}.{body}.", ISSUED) == FORGED
    assert verifier.read(f"{head}.{body}", ISSUED) == FORGED


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_a_code_by_hs256_with_the_public_key_as_secret_is_forged(key_dir: Path, verifier: PassVerifier) -> None:
    key_id = ensure_pass_key(key_dir)
    public = private_key(key_dir, key_id).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    claims = {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    for headers in ({"kid": key_id}, {"kid": key_id, "typ": None}):
        assert verifier.read(jwt.encode(claims, public, "HS256", headers), ISSUED) == FORGED


def test_a_code_by_rs256_is_forged(key_dir: Path, verifier: PassVerifier) -> None:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"sub": subject_of(MEMBER), "iat": int(ISSUED.timestamp())}
    assert verifier.read(jwt.encode(claims, key, "RS256", {"kid": ensure_pass_key(key_dir)}), ISSUED) == FORGED


def test_a_code_of_another_gym_system_under_our_key_id_is_forged(
    key_dir: Path, verifier: PassVerifier, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    ensure_pass_key(foreign)
    (foreign / f"{ensure_pass_key(foreign)}.pem").rename(foreign / f"{ensure_pass_key(key_dir)}.pem")
    assert verifier.read(PassSigner(foreign).sign(MEMBER, ISSUED), ISSUED) == FORGED


class Unread(str):
    """A text of which only the length may be asked."""

    __slots__ = ()

    def partition(self, _separator: str) -> NoReturn:
        raise AssertionError("it was read")

    rpartition = encode = partition  # type: ignore[assignment]


def test_a_code_that_is_too_long_is_not_read(verifier: PassVerifier, code: str) -> None:
    assert len(code) < MAX_CODE_LENGTH
    assert verifier.read(Unread(code + "A" * MAX_CODE_LENGTH), ISSUED) == FORGED
    with pytest.raises(AssertionError, match="it was read"):
        verifier.read(Unread(code), ISSUED)


# Keys come and go


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    key_dir = tmp_path / "new" / "keys"
    first = ensure_pass_key(key_dir)
    assert ensure_pass_key(key_dir) == first
    assert stat.S_IMODE(key_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((key_dir / f"{first}.pem").stat().st_mode) == 0o600


def test_threads_that_race_for_the_first_key_get_the_same_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ensure_pass_key, [tmp_path / "keys"] * 16))) == 1


def test_processes_that_race_for_the_first_key_get_the_same_one(tmp_path: Path) -> None:
    with get_context("fork").Pool(3) as pool:
        assert len(set(pool.map(ensure_pass_key, [tmp_path / "keys"] * 6, chunksize=1))) == 1


def test_after_a_rotation_the_new_key_signs_and_the_old_one_still_verifies(
    key_dir: Path, verifier: PassVerifier, code: str
) -> None:
    new = rotate_pass_key(key_dir)
    fresh = PassSigner(key_dir).sign(MEMBER, ISSUED)
    assert jwt.get_unverified_header(fresh)["kid"] == new
    assert verifier.read(fresh, ISSUED).status is PassStatus.VALID
    assert verifier.read(code, ISSUED).status is PassStatus.VALID


def test_two_rotations_within_a_second_make_two_keys(key_dir: Path) -> None:
    assert rotate_pass_key(key_dir) < rotate_pass_key(key_dir)


def test_a_running_signer_takes_up_a_new_key_and_a_running_verifier_drops_a_retired_one(
    key_dir: Path, verifier: PassVerifier, code: str
) -> None:
    signer, old = PassSigner(key_dir), ensure_pass_key(key_dir)
    assert verifier.read(code, ISSUED).status is PassStatus.VALID
    new = rotate_pass_key(key_dir)
    retire_pass_key(key_dir, old)
    wait_until(lambda: jwt.get_unverified_header(signer.sign(MEMBER, ISSUED))["kid"] == new, 30, signer.__repr__)
    wait_until(lambda: verifier.read(code, ISSUED) == FORGED, 30, verifier.__repr__)


def test_the_age_of_a_code_is_checked_each_time_it_is_shown(verifier: PassVerifier, code: str) -> None:
    assert verifier.read(code, ISSUED).status is PassStatus.VALID
    assert verifier.read(code, ISSUED + timedelta(seconds=46)).status is PassStatus.STALE
    assert verifier.read(code, ISSUED + timedelta(seconds=44)).status is PassStatus.VALID


def test_what_a_verifier_remembers_is_bounded(
    key_dir: Path, verifier: PassVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.pass_keys._CACHE_SIZE", 3)
    signer = PassSigner(key_dir)
    for _ in range(10):
        assert verifier.read(signer.sign(uuid4(), ISSUED), ISSUED).status is PassStatus.VALID
    assert len(verifier._ring.keys().verified) <= 3  # noqa: SLF001 - nothing else tells of it


def test_a_key_that_has_not_settled_does_not_sign_yet(key_dir: Path) -> None:
    now = datetime.now(UTC)
    first, _second = ensure_pass_key(key_dir), rotate_pass_key(key_dir)
    third = rotate_pass_key(key_dir)

    def signing(after: timedelta) -> str:
        signer = PassSigner(key_dir, min_key_age=timedelta(minutes=3), clock=lambda: now + after)
        return str(jwt.get_unverified_header(signer.sign(MEMBER, ISSUED))["kid"])

    assert signing(timedelta(minutes=1)) == first
    assert signing(timedelta(minutes=4)) == third


def test_the_only_key_cannot_be_retired(key_dir: Path) -> None:
    with pytest.raises(PassKeyError, match="only pass key"):
        retire_pass_key(key_dir, ensure_pass_key(key_dir))
    with pytest.raises(PassKeyError, match="no pass key 12345678"):
        retire_pass_key(key_dir, "12345678")


def test_without_a_key_nothing_starts(tmp_path: Path) -> None:
    for start in (PassSigner, PassVerifier):
        with pytest.raises(PassKeyError, match="cannot be read"):
            start(tmp_path / "nowhere")
        with pytest.raises(PassKeyError, match="no pass key"):
            start(tmp_path)


def test_a_broken_key_file_is_named_at_the_start_and_passed_over_later(
    key_dir: Path, verifier: PassVerifier, code: str
) -> None:
    (key_dir / "ffffffff.pem").write_text("no key")
    with pytest.raises(PassKeyError, match="cannot be read"):
        PassVerifier(key_dir)
    with capture_logs() as logs:
        wait_until(lambda: verifier.read(code, ISSUED).status is PassStatus.VALID and bool(logs), 30, logs.__repr__)
    assert {line["event"] for line in logs} == {"pass_keys_unreadable"}
    assert verifier.read(code, ISSUED).status is PassStatus.VALID
    with pytest.raises(PassKeyError):
        verifier.check()


def test_files_of_other_names_are_no_keys(key_dir: Path) -> None:
    before = ensure_pass_key(key_dir)
    for name in ("README", "zzzzzzzz.pem", "12345678.pem.old", ".12345678.new"):
        (key_dir / name).write_text("x")
    assert ensure_pass_key(key_dir) == before


@robust
@given(member_id=st.uuids(), seconds=st.integers(0, 2**32 - 1))
def test_every_code_is_read_as_it_was_signed(key_dir: Path, member_id: UUID, seconds: int) -> None:
    issued_at = datetime.fromtimestamp(seconds, UTC)
    reading = PassVerifier(key_dir).read(PassSigner(key_dir).sign(member_id, issued_at), issued_at)
    assert reading == PassReading(PassStatus.VALID, member_id, issued_at)


def test_two_members_never_share_a_code(key_dir: Path) -> None:
    signer = PassSigner(key_dir)
    assert len({signer.sign(uuid4(), ISSUED) for _ in range(100)}) == 100
