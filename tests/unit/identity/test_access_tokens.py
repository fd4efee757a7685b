import asyncio
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.identity.model import Role
from integrations.access_tokens import AccessTokens, TokenRefusal, TokenRefusedError
from integrations.jwks import Jwks
from integrations.local_identity import ensure_signing_key, mint_access_token, rotate_signing_key
from integrations.settings import Settings
from tests.unit.identity.key_server import key_server

MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Stage:
    """A local provider and a verifier with a clock of their own."""

    def __init__(self, data_dir: Path) -> None:
        self.now = NOON
        self.settings = Settings(data_dir=data_dir)
        assert self.settings.identity.signing_key_dir is not None
        self.key_dir = self.settings.identity.signing_key_dir
        self.key_id = ensure_signing_key(self.key_dir)
        self.tokens = AccessTokens(self.settings.identity, clock=lambda: self.now)

    def mint(self, groups: tuple[str, ...] = ("User",), lifetime: timedelta = timedelta(hours=1)) -> str:
        return mint_access_token(
            self.settings,
            sub=MEMBER,
            email="ana@example.com",
            groups=groups,
            lifetime=lifetime,
            clock=lambda: self.now,
        )

    def signed(self, changes: dict[str, object], **headers: object) -> str:
        """A token of the provider with some claims changed; None leaves one out."""
        claims = jwt.decode(self.mint(), options={"verify_signature": False}) | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.PyJWS().encode(
            json.dumps(claims).encode(), self.private_key(), "RS256", {"kid": self.key_id, **headers}
        )

    def private_key(self) -> RSAPrivateKey:
        key = load_pem_private_key((self.key_dir / f"{self.key_id}.pem").read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        return key

    def refusal(self, token: str) -> TokenRefusal:
        with pytest.raises(TokenRefusedError) as refused:
            asyncio.run(self.tokens.verify(token))
        return refused.value.reason


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(scope="module")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("identity"))


# Accepted


def test_a_token_of_the_local_provider_says_who_calls(stage: Stage) -> None:
    caller = asyncio.run(stage.tokens.verify(stage.mint(("Staff",))))
    assert caller.user_id == MEMBER
    assert caller.roles == {Role.USER, Role.STAFF}
    assert caller.email == "ana@example.com"
    assert caller.username == str(MEMBER)


def test_a_token_as_cognito_writes_it_is_accepted(stage: Stage) -> None:
    token = stage.signed({"email": None, "version": 2, "event_id": "x", "device_key": "y", "cognito:groups": None})
    caller = asyncio.run(stage.tokens.verify(token))
    assert (caller.user_id, caller.roles, caller.email) == (MEMBER, frozenset(), None)


def test_a_token_is_good_for_60_s_past_its_end_and_no_longer(stage: Stage) -> None:
    token = stage.mint(lifetime=timedelta(minutes=5))
    stage.now = NOON + timedelta(minutes=5, seconds=59)
    asyncio.run(stage.tokens.verify(token))
    stage.now = NOON + timedelta(minutes=6)
    assert stage.refusal(token) is TokenRefusal.EXPIRED
    assert stage.refusal(token) is TokenRefusal.EXPIRED


def test_a_rotated_key_is_accepted_at_once_and_the_old_one_still_is(stage: Stage) -> None:
    old = stage.mint()
    asyncio.run(stage.tokens.verify(old))
    new_id = rotate_signing_key(stage.key_dir)
    new = stage.mint()
    assert jwt.get_unverified_header(new)["kid"] == new_id
    asyncio.run(stage.tokens.verify(new))
    asyncio.run(stage.tokens.verify(old))


def test_tokens_are_remembered_so_that_the_signature_is_verified_once(stage: Stage) -> None:
    token = stage.mint()
    assert asyncio.run(stage.tokens.verify(token)) is asyncio.run(stage.tokens.verify(token))


def test_what_is_remembered_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.access_tokens._REMEMBERED", 3)
    first = stage.mint()
    remembered = asyncio.run(stage.tokens.verify(first))
    for _ in range(3):
        asyncio.run(stage.tokens.verify(stage.mint()))
    again = asyncio.run(stage.tokens.verify(first))
    assert again == remembered
    assert again is not remembered


def test_what_a_withdrawn_key_signed_is_forgotten(stage: Stage) -> None:
    seconds = 0.0
    stage.tokens = AccessTokens(
        stage.settings.identity,
        jwks=Jwks(stage.settings.identity.jwks_url, monotonic=lambda: seconds),
        clock=lambda: stage.now,
    )
    token = stage.mint()
    asyncio.run(stage.tokens.verify(token))
    rotate_signing_key(stage.key_dir)
    (stage.key_dir / f"{stage.key_id}.pem").unlink()
    rotate_signing_key(stage.key_dir)
    seconds = 2.0
    assert stage.refusal(token) is TokenRefusal.UNKNOWN_KEY


# Refused, each with its reason


def test_a_token_of_another_issuer_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"iss": "https://evil.example"})) is TokenRefusal.WRONG_ISSUER


def test_a_token_for_another_client_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"client_id": "another"})) is TokenRefusal.WRONG_CLIENT


def test_a_token_for_no_client_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"client_id": None})) is TokenRefusal.WRONG_CLIENT


def test_an_id_token_is_refused(stage: Stage) -> None:
    token = stage.signed({"token_use": "id", "client_id": None, "aud": stage.settings.identity.client_id})
    assert stage.refusal(token) is TokenRefusal.NOT_AN_ACCESS_TOKEN


def test_a_token_without_a_use_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"token_use": None})) is TokenRefusal.NOT_AN_ACCESS_TOKEN


def test_an_expired_token_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"exp": int(NOON.timestamp()) - 61})) is TokenRefusal.EXPIRED


def test_a_token_without_an_end_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"exp": None})) is TokenRefusal.MALFORMED


def test_a_token_for_later_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"nbf": int(NOON.timestamp()) + 61})) is TokenRefusal.NOT_YET_VALID


@pytest.mark.parametrize("sub", ["ana", "", "../../x", "01981b2c"])
def test_a_subject_that_is_no_uuid_is_refused(stage: Stage, sub: str) -> None:
    assert stage.refusal(stage.signed({"sub": sub})) is TokenRefusal.BAD_SUBJECT


def test_a_token_without_a_subject_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"sub": None})) is TokenRefusal.MALFORMED


def test_groups_that_are_no_list_are_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"cognito:groups": "Admin"})) is TokenRefusal.MALFORMED


def test_a_token_without_a_signature_is_refused(stage: Stage) -> None:
    claims = jwt.decode(stage.mint(), options={"verify_signature": False})
    token = jwt.encode(claims, "", "none", {"kid": stage.key_id})
    assert stage.refusal(token) is TokenRefusal.WRONG_ALGORITHM


def test_hs256_with_the_public_key_as_secret_is_refused(stage: Stage) -> None:
    public = stage.private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(stage.mint(), options={"verify_signature": False})
    parts = [
        urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": stage.key_id}, claims)
    ]
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = urlsafe_b64encode(algorithm.sign(b".".join(parts), public)).rstrip(b"=")
    assert stage.refusal(b".".join([*parts, signature]).decode()) is TokenRefusal.WRONG_ALGORITHM


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_another_algorithm_by_the_same_key_is_refused(stage: Stage, algorithm: str) -> None:
    claims = jwt.decode(stage.mint(), options={"verify_signature": False})
    token = jwt.encode(claims, stage.private_key(), algorithm, {"kid": stage.key_id})
    assert stage.refusal(token) is TokenRefusal.WRONG_ALGORITHM


def test_a_signature_by_another_key_is_refused(stage: Stage) -> None:
    claims = jwt.decode(stage.mint(), options={"verify_signature": False})
    key = generate_private_key(public_exponent=65537, key_size=2048)
    assert stage.refusal(jwt.encode(claims, key, "RS256", {"kid": stage.key_id})) is TokenRefusal.BAD_SIGNATURE


def test_changed_claims_are_refused(stage: Stage) -> None:
    head, _, signature = stage.mint(("User",)).split(".")
    _, claims, _ = stage.mint(("Admin",)).split(".")
    assert stage.refusal(f"{head}.{claims}.{signature}") is TokenRefusal.BAD_SIGNATURE


@pytest.mark.parametrize("key_id", ["00000000", "../../etc/passwd", ""])
def test_an_unknown_key_is_refused(stage: Stage, key_id: str) -> None:
    assert stage.refusal(stage.signed({}, kid=key_id)) is TokenRefusal.UNKNOWN_KEY


def test_a_token_that_brings_its_own_key_is_refused(stage: Stage) -> None:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    claims = jwt.decode(stage.mint(), options={"verify_signature": False})
    token = jwt.encode(claims, key, "RS256", {"kid": "mine", "jwk": jwk, "jku": "https://evil.example/jwks.json"})
    assert stage.refusal(token) is TokenRefusal.UNKNOWN_KEY


def test_a_token_without_a_key_id_is_refused(stage: Stage) -> None:
    claims = jwt.decode(stage.mint(), options={"verify_signature": False})
    assert stage.refusal(jwt.encode(claims, stage.private_key(), "RS256")) is TokenRefusal.UNKNOWN_KEY


def test_an_unknown_key_while_the_provider_is_away_says_so(stage: Stage) -> None:
    with key_server() as server:
        server.status = 503
        tokens = AccessTokens(stage.settings.identity, jwks=Jwks(server.url), clock=lambda: stage.now)
        with pytest.raises(TokenRefusedError) as refused:
            asyncio.run(tokens.verify(stage.mint()))
        assert refused.value.reason is TokenRefusal.KEYS_AWAY


def test_a_provider_that_goes_away_does_not_trouble_those_whose_key_is_known(stage: Stage) -> None:
    async def scenario() -> None:
        with key_server() as server:
            server.document = (stage.key_dir / "jwks.json").read_bytes()
            tokens = AccessTokens(stage.settings.identity, jwks=Jwks(server.url), clock=lambda: stage.now)
            await tokens.verify(stage.mint())
            server.status = 500
            for _ in range(3):
                await tokens.verify(stage.mint())
            assert server.calls == 1

    asyncio.run(scenario())


def test_a_huge_token_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.mint() + "A" * 1_000_000) is TokenRefusal.MALFORMED


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whatever_is_sent_as_a_token_is_refused(shared_stage: Stage, text: str) -> None:
    shared_stage.refusal(text)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(data=st.data())
def test_a_token_with_one_letter_changed_is_refused(shared_stage: Stage, data: st.DataObject) -> None:
    token = shared_stage.mint()
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != token[place]))
    shared_stage.refusal(token[:place] + letter + token[place + 1 :])
