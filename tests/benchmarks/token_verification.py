"""What it costs to know who calls: verifying tokens, and hashing passwords at the local provider.

Run on a quiet machine: `python -m tests.benchmarks.token_verification`. The target is 0.15 ms for a token that is
seen for the first time and whose key is known; where it is missed the exit status is 1.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from uuid import uuid4

from argon2 import PasswordHasher

from integrations.local_identity.keys import ensure_signing_key
from integrations.local_identity.tokens import mint_access_token
from integrations.settings import Settings
from integrations.tokens import TokenVerifier

TARGET_MS = 0.15
TOKENS, ROUNDS = 2000, 5
# Memory in KiB and passes: OWASP's three, and the first that RFC 9106 names for little memory.
PARAMETERS = [(19_456, 2), (47_104, 1), (12_288, 3), (65_536, 3)]
HASHES = 12
PASSWORD = "correct horse 7 staple"  # noqa: S105 - of nobody
THREADS = 2


@dataclass(frozen=True)
class Cost:
    """Of one of many calls in a row, in milliseconds: the median and the slowest of the rounds, and CPU time."""

    median_ms: float
    slowest_ms: float
    cpu_ms: float


def cost(rounds: Sequence[Callable[[], None]], calls: int) -> Cost:
    """What a call costs that each round makes so many times."""
    walls: list[float] = []
    cpus: list[float] = []
    for round_ in rounds:
        wall, cpu = time.perf_counter(), time.process_time()
        round_()
        walls.append((time.perf_counter() - wall) / calls * 1000)
        cpus.append((time.process_time() - cpu) / calls * 1000)
    return Cost(median(walls), max(walls), median(cpus))


def verification(folder: Path) -> tuple[Cost, Cost, int]:
    """Of a token seen for the first time, of one that is remembered, and how long a token is."""
    settings = Settings(data_dir=folder)
    assert settings.identity.signing_key_dir is not None
    ensure_signing_key(settings.identity.signing_key_dir)

    def mint() -> str:
        return mint_access_token(
            settings, sub=uuid4(), email="ana@example.com", groups=["User"], lifetime=timedelta(hours=1)
        )

    tokens = [mint() for _ in range(TOKENS)]

    async def verify_all(verifier: TokenVerifier) -> None:
        for token in tokens:
            await verifier.verify(token)

    with asyncio.Runner() as runner:
        verifiers = [TokenVerifier(settings.identity) for _ in range(ROUNDS)]
        for verifier in verifiers:
            runner.run(verifier.verify(mint()))  # which makes it read the keys
        rounds = [partial(lambda verifier: runner.run(verify_all(verifier)), verifier) for verifier in verifiers]
        first = cost(rounds, TOKENS)
        again = cost(rounds, TOKENS)
    return first, again, len(tokens[0])


def passwords(memory_kib: int, passes: int) -> tuple[Cost, Cost, float]:
    """Of making a hash, of holding a password against one, and how many a second are held so on some threads."""
    hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
    kept = hasher.hash(PASSWORD)

    def make() -> None:
        for _ in range(HASHES):
            hasher.hash(PASSWORD)

    def hold() -> None:
        for _ in range(HASHES):
            hasher.verify(kept, PASSWORD)

    with ThreadPoolExecutor(THREADS) as pool:
        begun = time.perf_counter()
        for done in [pool.submit(hold) for _ in range(THREADS)]:
            done.result()
        rate = HASHES * THREADS / (time.perf_counter() - begun)
    return cost([make] * ROUNDS, HASHES), cost([hold] * ROUNDS, HASHES), rate


def main() -> int:
    """Print the figures; 1 where the target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        first, again, length = verification(Path(folder))
    _say(f"Access tokens of {length} characters, RS256 with 2048 bits, keys known; {ROUNDS} rounds of {TOKENS}")
    for name, of in (("first seen", first), ("remembered", again)):
        _say(f"  {name}: {of.median_ms:.4f} ms (slowest round {of.slowest_ms:.4f} ms, CPU {of.cpu_ms:.4f} ms)")
    _say(f"Passwords by argon2id, one lane; {ROUNDS} rounds of {HASHES}, and {THREADS} threads at once")
    for memory_kib, passes in PARAMETERS:
        hashed, held, rate = passwords(memory_kib, passes)
        _say(
            f"  {memory_kib / 1024:.0f} MiB, {passes} passes: "
            f"hash {hashed.median_ms:.1f} ms (CPU {hashed.cpu_ms:.1f}), "
            f"verify {held.median_ms:.1f} ms (CPU {held.cpu_ms:.1f}), {rate:.1f} verified/s"
        )
    return int(first.median_ms > TARGET_MS)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
