import asyncio
import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from pathlib import Path

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.identity.model import Role
from integrations.jwks import Jwks
from integrations.local_identity.keys import rotate_signing_key
from integrations.tokens import MAX_TOKEN_LENGTH, TokenRefusal, TokenUse
from tests.keys import signing_keys
from tests.unit.integrations.token_issuer import MEMBER, NOON, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, signing_keys())


@pytest.fixture
def own_stage(tmp_path: Path) -> Stage:
    """With keys of its own, to be added to and taken away."""
    return Stage(tmp_path)


@pytest.fixture(scope="module")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("identity"), signing_keys())


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


def test_a_token_is_good_for_60_s_past_its_end_and_no_longer_though_it_is_remembered(stage: Stage) -> None:
    token = stage.mint(lifetime=timedelta(minutes=5))
    stage.now = NOON + timedelta(minutes=5, seconds=59)
    assert stage.verified(token) is stage.verified(token)
    stage.now = NOON + timedelta(minutes=6)
    assert stage.refusal(token) is TokenRefusal.EXPIRED
    assert stage.refusal(token) is TokenRefusal.EXPIRED


@pytest.mark.parametrize(("seconds", "refusal"), [(59, None), (60, TokenRefusal.EXPIRED), (61, TokenRefusal.EXPIRED)])
def test_a_token_seen_for_the_first_time_is_good_for_60_s_past_its_end(
    stage: Stage, seconds: int, refusal: TokenRefusal | None
) -> None:
    assert stage.refusal(stage.signed({"exp": NOON.timestamp() - seconds})) is refusal


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(("seconds", "refusal"), [(59, None), (60, None), (61, TokenRefusal.NOT_YET_VALID)])
def test_the_clocks_of_provider_and_verifier_may_be_60_s_apart(
    stage: Stage, claim: str, seconds: int, refusal: TokenRefusal | None
) -> None:
    assert stage.refusal(stage.signed({claim: NOON.timestamp() + seconds})) is refusal


def test_an_id_token_says_who_calls_where_one_is_wanted(stage: Stage) -> None:
    stage.tokens = stage.verifier(TokenUse.ID)
    caller = stage.verified(stage.id_token(email="ana@example.com", name="Ana Lima"))
    assert (caller.user_id, caller.email, caller.name) == (MEMBER, "ana@example.com", "Ana Lima")


def test_what_one_verifier_remembers_is_nothing_to_the_one_of_the_other_kind(stage: Stage) -> None:
    token = stage.mint()
    stage.verified(token)
    stage.tokens = stage.verifier(TokenUse.ID)
    assert stage.refusal(token) is TokenRefusal.WRONG_USE


def test_tokens_of_one_sign_in_belong_to_one_session(stage: Stage) -> None:
    origin = stage.claims()["origin_jti"]
    first, second = (stage.verified(stage.signed({"origin_jti": origin, "jti": str(number)})) for number in range(2))
    assert str(first.session_id) == str(second.session_id) == origin


def test_where_tokens_cannot_be_revoked_each_is_a_session_of_its_own(stage: Stage) -> None:
    token_id = stage.claims()["jti"]
    assert str(stage.verified(stage.signed({"origin_jti": None, "jti": token_id})).session_id) == token_id


def test_tokens_without_any_id_share_the_one_session_of_their_user(stage: Stage) -> None:
    nameless: dict[str, object] = {"origin_jti": None, "jti": None}
    first, second = stage.verified(stage.signed(nameless)), stage.verified(stage.signed({**nameless, "scope": "x"}))
    other = stage.verified(stage.signed({**nameless, "sub": "01981b2c-7a11-7bbb-8ccc-000000000000"}))
    assert first.session_id == second.session_id != other.session_id


def test_a_rotated_key_is_accepted_at_once_and_the_old_one_still_is(own_stage: Stage) -> None:
    old = own_stage.mint()
    asyncio.run(own_stage.tokens.verify(old))
    new_id = rotate_signing_key(own_stage.key_dir)
    new = own_stage.mint()
    assert jwt.get_unverified_header(new)["kid"] == new_id
    asyncio.run(own_stage.tokens.verify(new))
    asyncio.run(own_stage.tokens.verify(old))


def test_tokens_are_remembered_so_that_the_signature_is_verified_once(stage: Stage) -> None:
    token = stage.mint()
    assert asyncio.run(stage.tokens.verify(token)) is asyncio.run(stage.tokens.verify(token))


def test_what_is_remembered_is_bounded(stage: Stage) -> None:
    stage.tokens = stage.verifier(TokenUse.ACCESS, cache_size=3)
    first = stage.mint()
    remembered = asyncio.run(stage.tokens.verify(first))
    for _ in range(3):
        asyncio.run(stage.tokens.verify(stage.mint()))
    again = asyncio.run(stage.tokens.verify(first))
    assert again == remembered
    assert again is not remembered


def test_what_a_withdrawn_key_signed_is_forgotten(own_stage: Stage) -> None:
    seconds = 0.0
    jwks = Jwks(own_stage.settings.identity.jwks_url, monotonic=lambda: seconds)
    own_stage.tokens = own_stage.verifier(TokenUse.ACCESS, jwks=jwks)
    token = own_stage.mint()
    asyncio.run(own_stage.tokens.verify(token))
    rotate_signing_key(own_stage.key_dir)
    (own_stage.key_dir / f"{own_stage.key_id}.pem").unlink()
    rotate_signing_key(own_stage.key_dir)
    seconds = 2.0
    assert own_stage.refusal(token) is TokenRefusal.UNKNOWN_KEY


# Refused, each with its reason


def test_a_token_of_another_issuer_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"iss": "https://evil.example"})) is TokenRefusal.WRONG_ISSUER


@pytest.mark.parametrize("issuer", ["", "https://fitmonitor.localhost.evil.example", "HTTPS://FITMONITOR.LOCALHOST"])
def test_an_issuer_that_looks_alike_is_refused(stage: Stage, issuer: str) -> None:
    assert stage.refusal(stage.signed({"iss": issuer})) is TokenRefusal.WRONG_ISSUER
    assert stage.refusal(stage.signed({"iss": f"{stage.settings.identity.issuer}/"})) is TokenRefusal.WRONG_ISSUER


def test_a_token_of_a_foreign_pool_is_refused_though_its_key_has_the_same_id(stage: Stage, tmp_path: Path) -> None:
    foreign = Stage(tmp_path / "foreign")
    assert stage.refusal(foreign.signed({}, kid=stage.key_id)) is TokenRefusal.BAD_SIGNATURE


def test_a_token_for_another_client_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"client_id": "another"})) is TokenRefusal.WRONG_CLIENT


def test_a_token_for_no_client_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"client_id": None})) is TokenRefusal.WRONG_CLIENT


@pytest.mark.parametrize("audience", ["another", None])
def test_an_id_token_for_another_client_or_none_is_refused(stage: Stage, audience: str | None) -> None:
    stage.tokens = stage.verifier(TokenUse.ID)
    assert stage.refusal(stage.id_token(aud=audience)) is TokenRefusal.WRONG_CLIENT


def test_the_client_is_read_where_the_kind_of_token_says_it(stage: Stage) -> None:
    ours = stage.settings.identity.client_id
    assert stage.refusal(stage.signed({"client_id": "another", "aud": ours})) is TokenRefusal.WRONG_CLIENT
    stage.tokens = stage.verifier(TokenUse.ID)
    assert stage.refusal(stage.id_token(aud="another", client_id=ours)) is TokenRefusal.WRONG_CLIENT


def test_an_id_token_is_refused_where_an_access_token_is_wanted(stage: Stage) -> None:
    assert stage.refusal(stage.id_token(client_id=stage.settings.identity.client_id)) is TokenRefusal.WRONG_USE


def test_an_access_token_is_refused_where_an_id_token_is_wanted(stage: Stage) -> None:
    stage.tokens = stage.verifier(TokenUse.ID)
    assert stage.refusal(stage.signed({"aud": stage.settings.identity.client_id})) is TokenRefusal.WRONG_USE


def test_a_token_without_a_use_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"token_use": None})) is TokenRefusal.WRONG_USE


def test_an_expired_token_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"exp": int(NOON.timestamp()) - 61})) is TokenRefusal.EXPIRED


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "sub"])
def test_a_token_that_lacks_a_claim_is_refused(stage: Stage, claim: str) -> None:
    assert stage.refusal(stage.signed({claim: None})) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("time", ["soon", True, [], "1893456000"])
def test_a_time_that_is_no_number_is_refused(stage: Stage, claim: str, time: object) -> None:
    assert stage.refusal(stage.signed({claim: time})) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("changes", [{"exp": 1e300}, {"exp": 10**30}, {"iat": -1e300}, {"iat": -(10**15)}])
def test_a_time_that_no_calendar_has_is_refused(stage: Stage, changes: dict[str, object]) -> None:
    assert stage.refusal(stage.signed(changes)) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("sub", ["ana", "", "../../x", "01981b2c"])
def test_a_subject_that_is_no_uuid_is_refused(stage: Stage, sub: str) -> None:
    assert stage.refusal(stage.signed({"sub": sub})) is TokenRefusal.BAD_SUBJECT


def test_groups_that_are_no_list_are_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({"cognito:groups": "Admin"})) is TokenRefusal.MALFORMED


def test_a_token_without_a_signature_is_refused(stage: Stage) -> None:
    token = jwt.encode(stage.claims(), "", "none", {"kid": stage.key_id})
    assert stage.refusal(token) is TokenRefusal.WRONG_ALGORITHM


@pytest.mark.parametrize("algorithm", ["None", "NONE", "", "rs256", "RS256 ", None, 7, ["RS256"]])
def test_no_other_way_to_write_an_algorithm_is_understood(stage: Stage, algorithm: object) -> None:
    _, claims, signature = stage.mint().split(".")
    head = urlsafe_b64encode(msgspec.json.encode({"alg": algorithm, "kid": stage.key_id})).rstrip(b"=").decode()
    refused = {TokenRefusal.WRONG_ALGORITHM, TokenRefusal.MALFORMED}
    assert stage.refusal(f"{head}.{claims}.") in refused
    assert stage.refusal(f"{head}.{claims}.{signature}") in refused


def test_a_good_token_whose_signature_was_taken_off_is_refused(stage: Stage) -> None:
    head, claims, _ = stage.mint().split(".")
    assert stage.refusal(f"{head}.{claims}.") is TokenRefusal.BAD_SIGNATURE
    assert stage.refusal(f"{head}.{claims}") is TokenRefusal.MALFORMED


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_hs256_with_the_public_key_as_secret_is_refused(stage: Stage, encoding: Encoding) -> None:
    public = stage.private_key().public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    parts = [
        urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": stage.key_id}, stage.claims())
    ]
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = urlsafe_b64encode(algorithm.sign(b".".join(parts), public)).rstrip(b"=")
    assert stage.refusal(b".".join([*parts, signature]).decode()) is TokenRefusal.WRONG_ALGORITHM


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_another_algorithm_by_the_same_key_is_refused(stage: Stage, algorithm: str) -> None:
    token = jwt.encode(stage.claims(), stage.private_key(), algorithm, {"kid": stage.key_id})
    assert stage.refusal(token) is TokenRefusal.WRONG_ALGORITHM


def test_a_signature_by_another_key_is_refused(stage: Stage) -> None:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    assert stage.refusal(jwt.encode(stage.claims(), key, "RS256", {"kid": stage.key_id})) is TokenRefusal.BAD_SIGNATURE


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
    token = jwt.encode(
        stage.claims(), key, "RS256", {"kid": "mine", "jwk": jwk, "jku": "https://evil.example/jwks.json"}
    )
    assert stage.refusal(token) is TokenRefusal.UNKNOWN_KEY


def test_a_token_without_a_key_id_is_refused(stage: Stage) -> None:
    assert stage.refusal(jwt.encode(stage.claims(), stage.private_key(), "RS256")) is TokenRefusal.UNKNOWN_KEY


def test_a_header_that_must_be_understood_and_is_not_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.signed({}, crit=["exp"], exp=0)) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("text", ["", "null", "[]", '"text"', "{", "\x00", '{"sub": 1}'])
def test_a_signed_text_that_is_no_claims_is_refused(stage: Stage, text: str) -> None:
    assert stage.refusal(stage.signed_text(text)) is TokenRefusal.MALFORMED


def test_brackets_within_brackets_are_refused_like_any_nonsense(stage: Stage) -> None:
    depth = (MAX_TOKEN_LENGTH // 4 * 3 - 100) // 2
    nested = f'{{"x":{"[" * depth}{"]" * depth}}}'
    deep = urlsafe_b64encode(nested.encode()).rstrip(b"=").decode()
    assert len(f"{deep}.e30.AA") <= MAX_TOKEN_LENGTH
    assert stage.refusal(f"{deep}.e30.AA") is TokenRefusal.MALFORMED
    token = stage.signed_text(f'{{"x":{"[" * 2000}{"]" * 2000}}}')
    assert len(token) <= MAX_TOKEN_LENGTH
    assert stage.refusal(token) is TokenRefusal.MALFORMED


def test_a_huge_token_is_refused(stage: Stage) -> None:
    assert stage.refusal(stage.mint() + "A" * 1_000_000) is TokenRefusal.MALFORMED


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whatever_is_sent_as_a_token_is_refused(shared_stage: Stage, text: str) -> None:
    assert shared_stage.refusal(text) is not None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(head=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "x"]), _json), claims=_json)
def test_whatever_json_a_token_is_made_of_it_is_refused_without_a_signature(
    shared_stage: Stage, head: dict[str, object], claims: object
) -> None:
    ours = {"alg": "RS256", "kid": shared_stage.key_id}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({**ours, **head}, claims)]
    assert shared_stage.refusal(f"{parts[0]}.{parts[1]}.AAAA") is not None


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(claims=st.dictionaries(st.sampled_from(["exp", "iat", "nbf", "sub", "origin_jti", "cognito:groups"]), _json))
def test_whatever_a_signed_token_claims_it_is_a_caller_or_a_refusal(
    shared_stage: Stage, claims: dict[str, object]
) -> None:
    shared_stage.refusal(shared_stage.signed(claims))


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(data=st.data())
def test_a_token_with_one_letter_changed_is_refused(shared_stage: Stage, data: st.DataObject) -> None:
    token = shared_stage.mint()
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != token[place]))
    assert shared_stage.refusal(token[:place] + letter + token[place + 1 :]) is not None
