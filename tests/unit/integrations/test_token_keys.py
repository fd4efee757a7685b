"""Tokens whose keys come over HTTP from an endpoint that rotates, fails, is slow, or talks nonsense."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.identity.model import Caller
from integrations.jwks import Jwks
from integrations.local_identity.keys import rotate_signing_key
from integrations.tokens import TokenRefusal, TokenRefusedError, TokenUse, TokenVerifier
from tests.keys import signing_keys
from tests.unit.integrations.key_server import KeyServer, key_server
from tests.unit.integrations.token_issuer import MEMBER, Stage


class Remote:
    """A verifier that knows the provider's keys by HTTP alone."""

    def __init__(self, stage: Stage, server: KeyServer) -> None:
        self.stage = stage
        self.server = server
        self.seconds = 1000.0
        self.jwks = Jwks(server.url, monotonic=lambda: self.seconds)
        # Nothing is remembered: each token is held against the keys.
        self.tokens: TokenVerifier = stage.verifier(TokenUse.ACCESS, jwks=self.jwks, cache_size=1)
        self.publish()

    def publish(self) -> None:
        """Show the keys that there are now."""
        self.server.document = (self.stage.key_dir / "jwks.json").read_bytes()

    async def answer(self, token: str) -> Caller | TokenRefusal:
        try:
            return await self.tokens.verify(token)
        except TokenRefusedError as error:
            return error.reason

    async def is_known(self) -> bool:
        """Whether a token that was never seen is accepted."""
        answer = await self.answer(self.stage.mint())
        return isinstance(answer, Caller) and answer.user_id == MEMBER

    def unknown(self, number: int = 0) -> str:
        return self.stage.signed({}, kid=f"unknown-{number}")


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    with key_server() as server:
        yield Remote(Stage(tmp_path, signing_keys()), server)


@pytest.fixture
def own_remote(tmp_path: Path) -> Iterator[Remote]:
    """With keys of its own, to be added to and taken away."""
    with key_server() as server:
        yield Remote(Stage(tmp_path), server)


def test_an_unknown_key_is_fetched_for_once_in_30_s_whatever_its_name(remote: Remote) -> None:
    async def scenario() -> None:
        assert await remote.is_known()
        assert remote.server.calls == 1
        remote.seconds += 30
        for number in range(20):
            assert await remote.answer(remote.unknown(number)) is TokenRefusal.UNKNOWN_KEY
        assert remote.server.calls == 2
        remote.seconds += 29.9
        assert await remote.answer(remote.unknown(20)) is TokenRefusal.UNKNOWN_KEY
        assert remote.server.calls == 2
        remote.seconds += 0.2
        assert await remote.answer(remote.unknown(21)) is TokenRefusal.UNKNOWN_KEY
        assert remote.server.calls == 3

    asyncio.run(scenario())


def test_many_unknown_keys_at_once_are_fetched_for_once(remote: Remote) -> None:
    async def scenario() -> None:
        assert await remote.is_known()
        remote.seconds += 31
        answers = await asyncio.gather(*(remote.answer(remote.unknown(number)) for number in range(50)))
        assert set(answers) == {TokenRefusal.UNKNOWN_KEY}
        assert remote.server.calls == 2

    asyncio.run(scenario())


def test_unknown_keys_are_fetched_for_no_more_often_while_the_endpoint_fails(remote: Remote) -> None:
    async def scenario() -> None:
        remote.server.status = 503
        for number in range(20):
            assert await remote.answer(remote.unknown(number)) is TokenRefusal.KEYS_UNAVAILABLE
        assert remote.server.calls == 1

    asyncio.run(scenario())


def test_a_key_that_is_new_is_found_and_the_old_one_is_good_as_long_as_it_is_shown(own_remote: Remote) -> None:
    async def scenario() -> None:
        old = own_remote.stage.mint()
        assert isinstance(await own_remote.answer(old), Caller)
        rotate_signing_key(own_remote.stage.key_dir)
        own_remote.publish()
        # Fetched less than 30 s ago.
        assert await own_remote.answer(own_remote.stage.mint()) is TokenRefusal.UNKNOWN_KEY
        own_remote.seconds += 31
        assert await own_remote.is_known()
        assert isinstance(await own_remote.answer(old), Caller)

    asyncio.run(scenario())


def test_a_key_that_was_withdrawn_is_refused_from_the_next_fetch_on_though_its_token_is_remembered(
    own_remote: Remote,
) -> None:
    async def scenario() -> None:
        own_remote.tokens = own_remote.stage.verifier(TokenUse.ACCESS, jwks=own_remote.jwks)
        token = own_remote.stage.mint()
        assert isinstance(await own_remote.answer(token), Caller)
        rotate_signing_key(own_remote.stage.key_dir)
        (own_remote.stage.key_dir / f"{own_remote.stage.key_id}.pem").unlink()
        rotate_signing_key(own_remote.stage.key_dir)
        own_remote.publish()
        assert isinstance(await own_remote.answer(token), Caller)
        own_remote.seconds += 31
        assert await own_remote.is_known()
        assert await own_remote.answer(token) is TokenRefusal.UNKNOWN_KEY

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (500, b""),
        (404, b"not here"),
        (302, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": [{"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"}]}'),
        (200, b'{"keys": [{"kty": "oct", "kid": "x", "k": "c2VjcmV0", "alg": "HS256"}]}'),
    ],
)
def test_an_endpoint_that_fails_or_talks_nonsense_fails_no_request_whose_key_is_known(
    remote: Remote, status: int, document: bytes
) -> None:
    async def scenario() -> None:
        assert await remote.is_known()
        remote.server.status, remote.server.document = status, document
        remote.seconds += 4000  # past the hour after which keys are fetched anew
        assert await remote.is_known()
        assert await remote.answer(remote.unknown()) is TokenRefusal.KEYS_UNAVAILABLE
        assert await remote.is_known()
        assert remote.server.calls == 2

    asyncio.run(scenario())


def test_an_endpoint_that_is_gone_fails_no_request_whose_key_is_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        with key_server() as server:
            remote = Remote(Stage(tmp_path, signing_keys()), server)
            assert await remote.is_known()
        remote.seconds += 4000
        assert await remote.answer(remote.unknown()) is TokenRefusal.KEYS_UNAVAILABLE
        assert await remote.is_known()

    asyncio.run(scenario())


def test_nobody_whose_key_is_known_waits_for_a_slow_endpoint(remote: Remote) -> None:
    async def scenario() -> None:
        assert await remote.is_known()
        remote.server.may_answer.clear()
        remote.seconds += 4000
        waiting = asyncio.create_task(remote.answer(remote.unknown()))
        await asyncio.sleep(0.05)
        for _ in range(20):
            assert await remote.is_known()
        assert not waiting.done()
        remote.server.may_answer.set()
        assert await waiting is TokenRefusal.UNKNOWN_KEY
        assert remote.server.calls == 2

    asyncio.run(scenario())


def test_once_the_endpoint_is_back_its_new_keys_are_found(remote: Remote) -> None:
    async def scenario() -> None:
        remote.server.status = 500
        assert await remote.answer(remote.stage.mint()) is TokenRefusal.KEYS_UNAVAILABLE
        remote.server.status = 200
        remote.seconds += 31
        assert await remote.is_known()

    asyncio.run(scenario())


def test_a_token_does_not_choose_where_its_key_comes_from(remote: Remote) -> None:
    async def scenario() -> None:
        with key_server() as elsewhere:
            elsewhere.document = remote.server.document
            token = remote.stage.signed({}, kid="theirs", jku=elsewhere.url, x5u=elsewhere.url)
            assert await remote.answer(token) is TokenRefusal.UNKNOWN_KEY
            assert elsewhere.calls == 0

    asyncio.run(scenario())
