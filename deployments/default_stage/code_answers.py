"""Exchanges each authorization code once and repeats the answer for a minute, on every replica."""

import asyncio
import hashlib
from datetime import timedelta

import msgspec

from deployments.http.ports import IdentityClient
from deployments.http.problems import ApiProblem, retryable
from deployments.http.redirect_urls import redirect_uri_for_origin
from deployments.http.refusals import raise_on_refusal
from deployments.identity.authorization_codes import AuthorizationCodeService
from deployments.identity.sign_in import SignInService
from deployments.identity.signed_in import SignedIn
from domain.clock import Clock
from domain.idempotency import KeyState
from domain.identity.model import Client, IdentityProblem, IdentityRefusal, Role
from integrations.answer_encryption import UnsealError, seal, unseal
from integrations.settings import Settings

KEPT_FOR = timedelta(seconds=60)
_PURPOSE = "token/get"
_LOOK_EVERY_S, _LOOKS = 0.1, 50


class CodeAnswer(msgspec.Struct, frozen=True):
    """`token` is Cognito's token response as text."""

    token: str
    roles: list[str]


class CodeAnswers:
    """Exchanges a code once.

    Args:
        identity: exchanges codes.
        settings: name the pages to which the provider's own page may have given the code.
        clock: the present.
    """

    def __init__(self, identity: IdentityClient, settings: Settings, clock: Clock) -> None:
        self._identity = identity
        self._settings = settings
        self._clock = clock

    async def of(self, code: str, client: Client, page_origin: str | None = None) -> CodeAnswer | None:
        """The answer to a code; None for one that is unknown, or was used longer ago.

        Args:
            code: what the page was given.
            client: who sends it.
            page_origin: the request's `Origin`; where it is none of ours the page is the usual one.

        Raises:
            ApiProblem: it is known and may not sign in, or cannot be exchanged now.
        """
        key = hashlib.sha256(f"{_PURPOSE} {code}".encode()).hexdigest()
        claim = await self._identity(AuthorizationCodeService.claim, key)
        if claim.state is KeyState.NEW:
            return await self._exchanged(key, code, client, redirect_uri_for_origin(self._settings, page_origin))
        looks = _LOOKS if claim.state is KeyState.RUNNING else 1
        for look in range(looks):
            if look:
                await asyncio.sleep(_LOOK_EVERY_S)
            sealed = await self._identity(AuthorizationCodeService.answer, key)
            if sealed is not None:
                return _opened(sealed, code)
        if claim.state is KeyState.RUNNING:
            raise retryable("unavailable", "The same code is being exchanged; ask again in a moment.")
        return None

    async def _exchanged(self, key: str, code: str, client: Client, redirect_uri: str) -> CodeAnswer | None:
        try:
            signed_in = await self._identity(SignInService.sign_in_by_code, code, redirect_uri, None, client)
        except ApiProblem:
            # Whether the code was used is unknown; the provider knows at the next attempt.
            await self._identity(AuthorizationCodeService.release, key)
            raise
        if isinstance(signed_in, IdentityRefusal):
            await self._identity(AuthorizationCodeService.release, key)
            if signed_in.problem is IdentityProblem.WRONG_CODE:
                return None
        answer = _answer(raise_on_refusal(signed_in))
        sealed = seal(msgspec.json.encode(answer), code, _PURPOSE)
        await self._identity(AuthorizationCodeService.keep_answer, key, sealed, self._clock() + KEPT_FOR)
        return answer


def _opened(sealed: str, code: str) -> CodeAnswer:
    try:
        return msgspec.json.decode(unseal(sealed, code, _PURPOSE), type=CodeAnswer)
    except UnsealError as error:
        raise retryable("unavailable", "What was answered cannot be read.") from error


def _answer(signed_in: SignedIn) -> CodeAnswer:
    tokens = signed_in.tokens
    said = {
        "id_token": tokens.id_token,
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_in": tokens.expires_in,
        "token_type": "Bearer",
    }
    return CodeAnswer(msgspec.json.encode(said).decode(), [role.value for role in Role if role in signed_in.user.roles])
