"""Verifies Cognito's access and ID tokens: RS256 only.

Claims: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
and the same for the ID token.
"""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import InvalidSignatureError, PyJWS, PyJWTError

from domain.clock import Clock, system_clock
from domain.identity.model import Caller
from integrations.jwks import Jwks
from integrations.settings import IdentitySettings

ALGORITHM = "RS256"
MAX_TOKEN_LENGTH = 8192


class TokenRefusal(StrEnum):
    """Why a token is invalid. For logs and metrics; the client only learns that it is invalid."""

    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_KEY = "unknown_key"
    KEYS_UNAVAILABLE = "keys_unavailable"  # unknown key, and the provider's keys are unavailable
    BAD_SIGNATURE = "bad_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_USE = "wrong_use"  # an ID token instead of an access token, or the reverse
    WRONG_CLIENT = "wrong_client"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    BAD_SUBJECT = "bad_subject"


class TokenRefusedError(Exception):
    """The token is invalid.

    Args:
        reason: not shown to the client.
    """

    def __init__(self, reason: TokenRefusal) -> None:
        super().__init__(reason)
        self.reason = reason


class _Header(msgspec.Struct, frozen=True):
    alg: str = ""
    kid: str = ""


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    exp: float
    iat: float
    token_use: str = ""
    client_id: str = ""  # of an access token
    aud: str = ""  # the same, of an ID token
    origin_jti: str = ""
    jti: str = ""
    nbf: float = 0
    groups: list[str] = msgspec.field(name="cognito:groups", default_factory=list)
    email: str | None = None
    name: str | None = None
    username: str | None = None


class TokenUse(StrEnum):
    """Type of a token; one is never accepted as the other."""

    ACCESS = "access"
    ID = "id"


class TokenVerifier:
    """Verifies tokens of one type, and caches valid ones until they expire.

    Args:
        identity: expected issuer, client and leeway.
        use: the type.
        jwks: the issuer's keys; default: those at `identity.jwks_url`.
        clock: current time.
        cache_size: size of the cache; the oldest entry is dropped first.
    """

    def __init__(
        self,
        identity: IdentitySettings,
        use: TokenUse = TokenUse.ACCESS,
        *,
        jwks: Jwks | None = None,
        clock: Clock = system_clock,
        cache_size: int = 4096,
    ) -> None:
        self._use = use
        self._identity = identity
        self._jwks = jwks or Jwks(identity.jwks_url)
        self._clock = clock
        self._jws = PyJWS(algorithms=[ALGORITHM])
        self._headers = msgspec.json.Decoder(_Header)
        self._claims = msgspec.json.Decoder(_Claims)
        self._cache_size = cache_size
        self._cache: dict[str, tuple[Caller, float]] = {}
        self._generation = self._jwks.generation

    async def verify(self, token: str) -> Caller:
        """The user of a token.

        Raises:
            TokenRefusedError: the token is invalid.
        """
        now = self._clock().timestamp()
        caller = self._cached(token, now)
        if caller is not None:
            return caller
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefusedError(TokenRefusal.MALFORMED)
        key = await self._key(self._header(token))
        claims = self._signed_claims(token, key)
        caller = self._caller(claims, now)
        if len(self._cache) >= self._cache_size:
            del self._cache[next(iter(self._cache))]
        self._cache[token] = caller, claims.exp
        return caller

    def _cached(self, token: str, now: float) -> Caller | None:
        self._jwks.refresh()
        if self._generation != self._jwks.generation:
            # A key may have been revoked, and all its tokens with it.
            self._cache.clear()
            self._generation = self._jwks.generation
        caller, expires = self._cache.get(token, (None, 0.0))
        if caller is None or now < expires + self._identity.leeway_s:
            return caller
        del self._cache[token]
        raise TokenRefusedError(TokenRefusal.EXPIRED)

    def _header(self, token: str) -> _Header:
        # Only to find the key; PyJWT validates the whole header again.
        segment = token.partition(".")[0]
        try:
            return self._headers.decode(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
        except (ValueError, RecursionError) as error:  # RecursionError: deeply nested JSON
            raise TokenRefusedError(TokenRefusal.MALFORMED) from error

    async def _key(self, header: _Header) -> RSAPublicKey:
        # Checked before the key: a token must not choose its own algorithm (RFC 8725 section 3.1).
        if header.alg != ALGORITHM:
            raise TokenRefusedError(TokenRefusal.WRONG_ALGORITHM)
        key = await self._jwks.key(header.kid)
        if key is None:
            raise TokenRefusedError(TokenRefusal.UNKNOWN_KEY if self._jwks.reachable else TokenRefusal.KEYS_UNAVAILABLE)
        return key

    def _signed_claims(self, token: str, key: RSAPublicKey) -> _Claims:
        try:
            return self._claims.decode(self._jws.decode(token, key, algorithms=[ALGORITHM]))
        except InvalidSignatureError as error:
            raise TokenRefusedError(TokenRefusal.BAD_SIGNATURE) from error
        except (PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise TokenRefusedError(TokenRefusal.MALFORMED) from error

    def _caller(self, claims: _Claims, now: float) -> Caller:
        leeway = self._identity.leeway_s
        client = claims.client_id if self._use is TokenUse.ACCESS else claims.aud
        refusals = {
            TokenRefusal.WRONG_ISSUER: claims.iss != self._identity.issuer,
            TokenRefusal.WRONG_USE: claims.token_use != self._use,
            TokenRefusal.WRONG_CLIENT: client != self._identity.client_id,
            TokenRefusal.EXPIRED: now >= claims.exp + leeway,
            TokenRefusal.NOT_YET_VALID: now < max(claims.nbf, claims.iat) - leeway,
        }
        for reason, applies in refusals.items():
            if applies:
                raise TokenRefusedError(reason)
        try:
            user_id = UUID(claims.sub)
        except ValueError as error:
            raise TokenRefusedError(TokenRefusal.BAD_SUBJECT) from error
        try:
            issued_at, expires_at = (datetime.fromtimestamp(time, UTC) for time in (claims.iat, claims.exp))
        except (ValueError, OverflowError, OSError) as error:
            raise TokenRefusedError(TokenRefusal.MALFORMED) from error
        return Caller(
            user_id=user_id,
            groups=tuple(claims.groups),
            session_id=_session_of(claims, user_id),
            issued_at=issued_at,
            expires_at=expires_at,
            email=claims.email,
            username=claims.username,
            name=claims.name,
        )


def _session_of(claims: _Claims, user_id: UUID) -> UUID:
    """The session of a token.

    `origin_jti` is missing if token revocation is disabled in the pool: then each token is its own session, and tokens
    without an id share one session per user.
    """
    try:
        return UUID(claims.origin_jti or claims.jti)
    except ValueError:
        return uuid5(user_id, "tokens without an id")
