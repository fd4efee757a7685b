"""A local provider, and a verifier of its tokens with a clock that is set by hand."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from domain.identity.model import Caller
from integrations.local_identity.keys import ensure_signing_key, signing_key
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import IdentitySettings, Settings
from integrations.tokens import TokenRefusal, TokenRefusedError, TokenUse, TokenVerifier
from tests.keys import key_id, signing_keys

MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Stage:
    """A local provider and a verifier with a clock of their own.

    Args:
        data_dir: where the provider keeps what it has.
        keys: a folder of keys, which the provider has without changing it; unless given it makes one of its own.
    """

    def __init__(self, data_dir: Path, keys: Path | None = None) -> None:
        self.now = NOON
        self.settings = Settings(data_dir=data_dir, identity=IdentitySettings(signing_key_dir=keys))
        assert self.settings.identity.signing_key_dir is not None
        self.key_dir = self.settings.identity.signing_key_dir
        self.key_id = key_id() if keys == signing_keys() else ensure_signing_key(self.key_dir)
        self.tokens = TokenVerifier(self.settings.identity, clock=lambda: self.now)

    def mint(self, groups: tuple[str, ...] = ("User",), lifetime: timedelta = timedelta(hours=1)) -> str:
        return mint_access_token(
            self.settings,
            sub=MEMBER,
            email="ana@example.com",
            groups=groups,
            lifetime=lifetime,
            clock=lambda: self.now,
        )

    def claims(self) -> dict[str, Any]:
        """What a token says."""
        return dict(jwt.decode(self.mint(), options={"verify_signature": False}))

    def signed(self, changes: dict[str, object], **headers: object) -> str:
        """A token of the provider with some claims changed; None leaves one out."""
        claims = {name: value for name, value in (self.claims() | changes).items() if value is not None}
        return self.signed_text(json.dumps(claims), **headers)

    def signed_text(self, text: str, **headers: object) -> str:
        """Anything at all, with a good signature."""
        return jwt.PyJWS().encode(text.encode(), self.private_key(), "RS256", {"kid": self.key_id, **headers})

    def id_token(self, **changes: object) -> str:
        """An ID token of the provider."""
        ours = {"token_use": "id", "client_id": None, "aud": self.settings.identity.client_id}
        return self.signed({**ours, **changes})

    def verifier(self, use: TokenUse, **other: Any) -> TokenVerifier:  # noqa: ANN401 - passed on
        """Another verifier of the same present."""
        return TokenVerifier(self.settings.identity, use, clock=lambda: self.now, **other)

    def verified(self, token: str) -> Caller:
        return asyncio.run(self.tokens.verify(token))

    def private_key(self) -> RSAPrivateKey:
        _, key = signing_key(self.settings)
        return key

    def refusal(self, token: str) -> TokenRefusal | None:
        """Why a token is refused; None where it is not."""
        try:
            self.verified(token)
        except TokenRefusedError as error:
            return error.reason
        return None
