import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from integrations.jwks import Jwks, JwksError, parse_jwks
from integrations.local_identity.keys import ensure_signing_key, rotate_signing_key
from tests.keys import key_id, signing_keys
from tests.unit.integrations.key_server import KeyServer, key_server


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def key_dir() -> Path:
    return signing_keys()


@pytest.fixture
def own_key_dir(tmp_path: Path) -> Path:
    """Keys to be added to and taken away."""
    ensure_signing_key(tmp_path)
    return tmp_path


def document(key_dir: Path) -> bytes:
    return (key_dir / "jwks.json").read_bytes()


async def settled(jwks: Jwks) -> None:
    """Let a fetch that was begun beside the requests come to its end."""
    for _ in range(200):
        await asyncio.sleep(0.01)
        if jwks._fetching is None:  # noqa: SLF001 - nothing else tells of it
            return
    raise AssertionError("the fetch did not end")


def test_known_keys_are_fetched_once(server: KeyServer, seconds: Seconds, key_dir: Path) -> None:
    async def scenario() -> None:
        server.document = document(key_dir)
        jwks, known = Jwks(server.url, monotonic=seconds), key_id()
        for _ in range(20):
            assert await jwks.key(known) is not None
        assert server.calls == 1

    asyncio.run(scenario())


def test_many_who_wait_for_the_first_key_share_one_fetch(server: KeyServer, seconds: Seconds, key_dir: Path) -> None:
    async def scenario() -> None:
        server.document = document(key_dir)
        jwks, known = Jwks(server.url, monotonic=seconds), key_id()
        assert None not in await asyncio.gather(*(jwks.key(known) for _ in range(50)))
        assert server.calls == 1

    asyncio.run(scenario())


def test_who_hangs_up_does_not_end_the_fetch_of_the_others(server: KeyServer, seconds: Seconds, key_dir: Path) -> None:
    async def scenario() -> None:
        server.document = document(key_dir)
        server.may_answer.clear()
        jwks, known = Jwks(server.url, monotonic=seconds), key_id()
        first, second = (asyncio.create_task(jwks.key(known)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        server.may_answer.set()
        assert await second is not None

    asyncio.run(scenario())


def test_a_slow_endpoint_does_not_hold_up_the_event_loop(server: KeyServer, seconds: Seconds, key_dir: Path) -> None:
    async def scenario() -> None:
        server.document = document(key_dir)
        server.may_answer.clear()
        waiting = asyncio.create_task(Jwks(server.url, monotonic=seconds).key("00000000"))
        loop = asyncio.get_running_loop()
        longest = 0.0
        for _ in range(20):
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)
        assert not waiting.done()
        assert longest < 2  # less than the fetch may take
        server.may_answer.set()
        assert await waiting is None

    asyncio.run(scenario())


def test_an_unknown_key_is_fetched_for_at_most_once_in_30_s(server: KeyServer, seconds: Seconds, key_dir: Path) -> None:
    async def scenario() -> None:
        server.document = document(key_dir)
        jwks = Jwks(server.url, monotonic=seconds)
        for _ in range(10):
            assert await jwks.key("unknown") is None
        assert server.calls == 1
        seconds.now += 29
        assert await jwks.key("unknown") is None
        assert server.calls == 1
        seconds.now += 2
        assert await jwks.key("unknown") is None
        assert server.calls == 2

    asyncio.run(scenario())


def test_a_rotated_key_is_found(server: KeyServer, seconds: Seconds, own_key_dir: Path) -> None:
    async def scenario() -> None:
        server.document = document(own_key_dir)
        jwks, old = Jwks(server.url, monotonic=seconds), ensure_signing_key(own_key_dir)
        assert await jwks.key(old) is not None
        new = rotate_signing_key(own_key_dir)
        server.document = document(own_key_dir)
        seconds.now += 31
        assert await jwks.key(new) is not None
        assert await jwks.key(old) is not None

    asyncio.run(scenario())


@pytest.mark.parametrize(("status", "broken"), [(500, None), (404, None), (200, b"<html>"), (200, b'{"keys": []}')])
def test_an_endpoint_that_fails_leaves_known_keys_in_force(
    server: KeyServer, seconds: Seconds, key_dir: Path, status: int, broken: bytes | None
) -> None:
    async def scenario() -> None:
        server.document = document(key_dir)
        jwks, known = Jwks(server.url, monotonic=seconds), key_id()
        assert await jwks.key(known) is not None
        server.status = status
        server.document = broken or server.document
        seconds.now += 31
        assert await jwks.key("unknown") is None
        assert server.calls == 2
        assert not jwks.reachable
        assert await jwks.key(known) is not None

    asyncio.run(scenario())


def test_an_endpoint_that_nobody_answers_at_gives_no_key_and_no_exception(seconds: Seconds) -> None:
    async def scenario() -> None:
        jwks = Jwks("http://127.0.0.1:9/jwks.json", monotonic=seconds)
        assert await jwks.key("any") is None
        assert not jwks.reachable

    asyncio.run(scenario())


def test_keys_are_fetched_anew_every_hour_without_anybody_waiting(
    server: KeyServer, seconds: Seconds, own_key_dir: Path
) -> None:
    async def scenario() -> None:
        server.document = document(own_key_dir)
        jwks, old = Jwks(server.url, monotonic=seconds), ensure_signing_key(own_key_dir)
        assert await jwks.key(old) is not None
        rotate_signing_key(own_key_dir)
        (own_key_dir / f"{old}.pem").unlink()
        rotate_signing_key(own_key_dir)
        server.document = document(own_key_dir)
        seconds.now += 3601
        generation = jwks.generation
        assert await jwks.key(old) is not None
        await settled(jwks)
        assert await jwks.key(old) is None
        assert jwks.generation > generation

    asyncio.run(scenario())


def test_a_file_is_read_again_as_soon_as_an_unknown_key_is_asked_for(own_key_dir: Path, seconds: Seconds) -> None:
    async def scenario() -> None:
        jwks, old = Jwks((own_key_dir / "jwks.json").as_uri(), monotonic=seconds), ensure_signing_key(own_key_dir)
        assert await jwks.key(old) is not None
        new = rotate_signing_key(own_key_dir)
        assert await jwks.key(new) is not None

    asyncio.run(scenario())


def test_a_file_that_is_not_there_yet_is_found_later(tmp_path: Path, seconds: Seconds) -> None:
    async def scenario() -> None:
        jwks = Jwks((tmp_path / "jwks.json").as_uri(), monotonic=seconds)
        assert await jwks.key("any") is None
        assert not jwks.reachable
        key_id = ensure_signing_key(tmp_path)
        assert await jwks.key(key_id) is not None
        assert jwks.reachable
        (tmp_path / "jwks.json").unlink()
        seconds.now += 2
        assert await jwks.key(key_id) is not None

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["http://example.com/jwks.json", "ftp://example.com/x", "jwks.json", ""])
def test_keys_come_over_https_from_a_file_or_from_this_machine(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        Jwks(url)


def test_only_rsa_keys_for_rs256_of_2048_bits_are_taken(key_dir: Path) -> None:
    [good] = msgspec.json.decode(document(key_dir))["keys"]
    weak = generate_rsa_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    small = RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True)
    curve = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
    others = [
        {**good, "kid": "other-algorithm", "alg": "RS512"},
        {**good, "kid": "for-encryption", "use": "enc"},
        {**good, "kid": 7},
        {**good, "kid": "no-number", "n": "!"},
        {**curve, "kid": "curve"},
        {**small, "kid": "small"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        "text",
    ]
    assert list(parse_jwks(msgspec.json.encode({"keys": [*others, good]}))) == [good["kid"]]


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": {}}', b"\xff"])
def test_what_is_no_jwks_is_refused(text: bytes) -> None:
    with pytest.raises(JwksError):
        parse_jwks(text)
