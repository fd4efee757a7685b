import stat
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import jwt
import msgspec
import pytest

from integrations.local_identity.keys import NoLocalIdentityError, ensure_signing_key, rotate_signing_key
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings


def test_a_key_is_made_once_only_its_owner_reads_it_and_its_public_half_is_published(tmp_path: Path) -> None:
    key_dir = tmp_path / "identity"
    key_id = ensure_signing_key(key_dir)
    assert ensure_signing_key(key_dir) == key_id
    assert stat.S_IMODE(key_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((key_dir / f"{key_id}.pem").stat().st_mode) == 0o600
    [key] = msgspec.json.decode((key_dir / "jwks.json").read_bytes())["keys"]
    assert set(key) == {"kid", "kty", "use", "alg", "n", "e"}
    assert key["kid"] == key_id


def test_processes_that_race_for_the_first_key_get_the_same_one(tmp_path: Path) -> None:
    with get_context("fork").Pool(3) as pool:
        assert len(set(pool.map(ensure_signing_key, [tmp_path / "keys"] * 6, chunksize=1))) == 1


def test_a_jwks_that_was_lost_is_written_again(tmp_path: Path) -> None:
    ensure_signing_key(tmp_path)
    (tmp_path / "jwks.json").unlink()
    ensure_signing_key(tmp_path)
    assert (tmp_path / "jwks.json").exists()


def test_after_a_rotation_both_keys_are_published(tmp_path: Path) -> None:
    old, new = ensure_signing_key(tmp_path), rotate_signing_key(tmp_path)
    keys = msgspec.json.decode((tmp_path / "jwks.json").read_bytes())["keys"]
    assert [key["kid"] for key in keys] == [old, new]


def test_a_token_has_the_claims_of_cognito(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.identity.signing_key_dir is not None
    ensure_signing_key(settings.identity.signing_key_dir)
    sub = uuid4()
    token = mint_access_token(
        settings, sub=sub, email="ana@example.com", groups=["User", "Admin"], lifetime=timedelta(hours=2)
    )
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == claims["username"] == str(sub)
    assert claims["cognito:groups"] == ["Admin", "User"]
    assert claims["token_use"] == "access"  # noqa: S105 - a word, not a secret
    assert claims["exp"] - claims["iat"] == 7200
    assert claims["auth_time"] == claims["iat"] == pytest.approx(datetime.now(UTC).timestamp(), abs=5)
    assert claims["jti"] != claims["origin_jti"]
    assert {"iss", "client_id", "scope"} <= set(claims)


def test_without_a_key_no_token_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(NoLocalIdentityError, match="no signing key"):
        mint_access_token(settings, sub=uuid4(), email="a@b.c", groups=[], lifetime=timedelta(hours=1))


def test_where_somebody_else_is_the_provider_no_token_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.identity.signing_key_dir = None
    with pytest.raises(NoLocalIdentityError, match="no local identity provider"):
        mint_access_token(settings, sub=uuid4(), email="a@b.c", groups=[], lifetime=timedelta(hours=1))
