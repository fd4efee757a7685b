"""Wrong tries as they are counted, on each store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import func, select

from deployments.identity.attempt_limiter import AttemptLimiter, limits_of
from domain.identity.attempts import AttemptPurpose, Scope, delay_after
from domain.identity.model import Change, Client, IdentityProblem, IdentityRefusal, User
from domain.identity.ports import ProviderUnavailableError
from domain.identity.repository import UserRepository
from domain.identity.tables import sign_in_attempts
from domain.ids import new_id
from integrations.device_cookies import DeviceCookies
from integrations.pass_keys import ensure_pass_key
from integrations.settings import IdentitySettings
from tests.world import START, ManualClock, World

LIMITS = IdentitySettings(
    failed_attempts_before_delay=3,
    failed_attempts_before_delay_per_address=14,
    max_attempt_delay_s=20,
    unknown_device_attempts_per_hour=12,
    unknown_device_mails_per_hour=6,
    mails_per_address_per_hour=9,
)
MIA = "mia@example.org"
WRONG = IdentityRefusal(IdentityProblem.WRONG_CREDENTIALS, "wrong")
WEAK = IdentityRefusal(IdentityProblem.WEAK_PASSWORD, "weak")
AT_ONCE = 8


class Guard:
    """Tries on a store, as the Identity deployment makes them."""

    def __init__(self, world: World, keys: Path) -> None:
        self.clock: ManualClock = world.clock
        self.store = world.store
        ensure_pass_key(keys)
        self.devices = DeviceCookies(keys, timedelta(days=180))
        self.limiter = AttemptLimiter(self.store, LIMITS, world.clock, self.devices)

    def attempt(
        self,
        answer: IdentityRefusal | None = WRONG,
        email: str = MIA,
        address: str = "192.0.2.1",
        purpose: AttemptPurpose = AttemptPurpose.SIGN_IN,
        cookie: str = "",
    ) -> bool:
        """Whether a try was looked at."""
        found = self.limiter.attempt(purpose, email, Client("", address, cookie), lambda: answer)
        return not (isinstance(found, IdentityRefusal) and found.problem is IdentityProblem.TOO_MANY_ATTEMPTS)

    def cookie(self, user_id: UUID | None = None) -> str:
        """Of a device that signs in to Mia's account now."""
        return self.limiter.device_cookie(MIA, user_id or new_id(), self.clock())

    def rows(self) -> int:
        with self.store.reading() as connection:
            return connection.execute(select(func.count()).select_from(sign_in_attempts)).scalar_one()


@pytest.fixture
def guard(world: World, tmp_path: Path) -> Guard:
    return Guard(world, tmp_path / "keys")


def elsewhere() -> Callable[[], str]:
    """An address of another network at each call."""
    numbers = count()
    return lambda: f"2001:db8:0:{next(numbers):x}::1"


def wait_of(answer: object) -> int:
    assert isinstance(answer, IdentityRefusal)
    assert answer.retry_after_s is not None
    return answer.retry_after_s


def test_each_wrong_try_beyond_the_free_ones_has_to_wait_twice_as_long_up_to_the_longest(guard: Guard) -> None:
    client, waits = Client("", "192.0.2.1"), []
    for _ in range(3):
        assert guard.attempt()
    for _ in range(6):
        waits.append(wait_of(guard.limiter.attempt(AttemptPurpose.SIGN_IN, MIA, client, lambda: WRONG)))
        guard.clock.forward(waits[-1])
        assert guard.attempt()
    assert waits == [1, 2, 4, 8, 16, 20]
    guard.clock.forward(20)
    assert guard.attempt(None)
    assert [guard.attempt() for _ in range(4)] == [True, True, True, False], "the account is free again"


@pytest.mark.parametrize("other", [purpose for purpose in AttemptPurpose if purpose is not AttemptPurpose.SIGN_IN])
@pytest.mark.parametrize("answer", [WRONG, WEAK, None], ids=["wrong", "weak", "right"])
def test_nothing_for_another_purpose_frees_or_blocks(
    guard: Guard, other: AttemptPurpose, answer: IdentityRefusal | None
) -> None:
    looked_at = 0
    for _ in range(20):
        looked_at += guard.attempt()
        guard.attempt(answer, purpose=other)
    assert looked_at == LIMITS.failed_attempts_before_delay
    assert guard.attempt(email="ana@example.org")


def test_what_proves_nothing_takes_only_itself_back(guard: Guard) -> None:
    assert [guard.attempt(), guard.attempt()] == [True, True]
    for _ in range(10):
        assert guard.attempt(WEAK), "and is not counted"
    assert [guard.attempt(), guard.attempt()] == [True, False]


def test_while_the_provider_is_unavailable_no_attempt_is_counted(guard: Guard) -> None:
    def away() -> None:
        raise ProviderUnavailableError("away")

    for _ in range(20):
        with pytest.raises(ProviderUnavailableError):
            guard.limiter.attempt(AttemptPurpose.SIGN_IN, MIA, Client("", "192.0.2.1"), away)
    assert guard.attempt()


def test_what_is_right_takes_one_from_the_network_and_from_strangers_and_no_more(guard: Guard) -> None:
    for number in range(LIMITS.failed_attempts_before_delay_per_address):
        assert guard.attempt(email=f"m{number}@example.org")
    assert not guard.attempt(None, email="new@example.org"), "of the network there were too many"
    guard.clock.forward(1)
    assert guard.attempt(None, email="new@example.org")
    assert guard.attempt(email="new@example.org"), "nobody waits for a right one"
    assert not guard.attempt(email="new@example.org")

    address = elsewhere()
    looked_at = sum(guard.attempt(None if number % 2 else WRONG, address=address()) for number in range(40))
    wrong = LIMITS.unknown_device_attempts_per_hour
    assert looked_at == 2 * wrong - 1, "a right one frees nobody else"


def test_strangers_wait_for_the_end_of_the_hour_and_then_count_anew(guard: Guard) -> None:
    address = elsewhere()
    assert [guard.attempt(address=address()) for _ in range(14)] == [True] * 12 + [False] * 2
    guard.clock.forward(1000)
    refused = guard.limiter.attempt(AttemptPurpose.SIGN_IN, MIA, Client("", address()), lambda: WRONG)
    assert wait_of(refused) == 2600
    assert guard.attempt(purpose=AttemptPurpose.RESET)
    guard.clock.forward(2600)
    assert [guard.attempt(address=address()) for _ in range(13)] == [True] * 12 + [False]


def test_refused_tries_are_not_counted_so_one_network_never_blocks_all(guard: Guard) -> None:
    for _ in range(500):
        guard.attempt()
    assert guard.attempt(address="198.51.100.1")


def test_one_network_has_so_many_mails_sent_and_no_mail_is_ever_taken_back(guard: Guard) -> None:
    def ask(email: str, address: str) -> bool:
        return guard.limiter.count_mail(email, Client("", address)) is None

    assert [ask(f"m{number}@example.org", "192.0.2.1") for number in range(10)] == [True] * 9 + [False]
    address = elsewhere()
    assert [ask(MIA, address()) for _ in range(7)] == [True] * 6 + [False]
    guard.clock.forward(3600)
    assert ask(MIA, "192.0.2.1")


def test_a_known_device_gets_in_while_all_others_wait(guard: Guard) -> None:
    cookie, address = guard.cookie(), elsewhere()
    for _ in range(20):
        guard.attempt(address=address())
    for _ in range(20):
        guard.attempt()
    assert not guard.attempt(None)
    assert guard.attempt(None, cookie=cookie)
    assert not guard.attempt(None), "which frees no stranger"
    assert [guard.attempt(cookie=cookie) for _ in range(4)] == [True, True, True, False]
    assert guard.attempt(None, cookie=guard.cookie()), "another device of the same account"
    guard.clock.forward(timedelta(hours=24).total_seconds())
    assert guard.attempt(None, cookie=cookie)


def test_a_known_device_is_counted_for_each_purpose_by_itself(guard: Guard) -> None:
    cookie = guard.cookie()
    for purpose in AttemptPurpose:
        for _ in range(LIMITS.failed_attempts_before_delay):
            assert guard.attempt(purpose=purpose, cookie=cookie)
    assert guard.attempt(), "and takes nothing from strangers"


def test_a_cookie_of_before_the_last_change_of_password_is_a_stranger_s(guard: Guard) -> None:
    user_id = new_id()
    before = guard.cookie(user_id)
    guard.clock.forward(1)

    def change() -> None:
        with guard.store.writing() as connection:
            UserRepository(connection).record(user_id, user_id, Change.PASSWORD_CHANGED, "", guard.clock())

    change()
    after = guard.cookie(user_id)
    for _ in range(5):
        guard.attempt()
    assert not guard.attempt(None, cookie=before)
    assert guard.attempt(None, cookie=after)


@pytest.mark.parametrize("now_has", [{"email": "mia@elsewhere.example"}, {"email": None, "deleted_at": START}])
def test_a_cookie_of_whoever_held_the_address_before_is_a_stranger_s(guard: Guard, now_has: dict[str, object]) -> None:
    former = User(new_id(), MIA, "Mia", None, None, START)
    with guard.store.writing() as connection:
        UserRepository(connection).add(former)
    cookie = guard.cookie(former.id)
    for _ in range(5):
        guard.attempt()
    assert guard.attempt(None, cookie=cookie)
    with guard.store.writing() as connection:
        UserRepository(connection).change(former.id, **now_has)
    assert not guard.attempt(None, cookie=cookie)


@pytest.mark.parametrize("as_device", [False, True])
def test_of_tries_that_come_at_once_no_more_are_looked_at_than_are_free(guard: Guard, *, as_device: bool) -> None:
    cookie = guard.cookie() if as_device else ""
    together = Barrier(AT_ONCE)

    def attempt(_number: int) -> bool:
        together.wait(timeout=60)
        return guard.attempt(cookie=cookie)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        looked_at = sum(threads.map(attempt, range(5 * AT_ONCE)))
    # Those of a device are followed by a stranger's. One that never had its turn is refused, not let through.
    assert looked_at <= LIMITS.failed_attempts_before_delay * (2 if as_device else 1)
    guard.clock.forward(1)
    while guard.attempt(cookie=cookie):
        looked_at += 1
        assert looked_at <= 10 * LIMITS.failed_attempts_before_delay, "the delays begin some time"


def test_of_strangers_from_everywhere_at_once_no_more_are_looked_at_than_may_be(guard: Guard) -> None:
    together, address = Barrier(AT_ONCE), elsewhere()
    addresses = [address() for _ in range(5 * AT_ONCE)]

    def attempt(number: int) -> bool:
        together.wait(timeout=60)
        return guard.attempt(address=addresses[number])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        looked_at = sum(threads.map(attempt, range(5 * AT_ONCE)))
    assert 0 < looked_at <= LIMITS.unknown_device_attempts_per_hour


def test_right_and_wrong_tries_at_once_leave_no_try_uncounted(guard: Guard) -> None:
    together = Barrier(AT_ONCE)

    def attempt(number: int) -> bool:
        together.wait(timeout=60)
        wrong = number % AT_ONCE < AT_ONCE // 2
        return guard.attempt(WRONG if wrong else None, email=MIA if wrong else f"m{number}@example.org") and wrong

    with ThreadPoolExecutor(AT_ONCE) as threads:
        looked_at = sum(threads.map(attempt, range(3 * AT_ONCE)))
    assert looked_at <= LIMITS.failed_attempts_before_delay


def test_old_tries_are_forgotten_and_swept_away(guard: Guard) -> None:
    for number in range(5):
        guard.attempt(email=f"m{number}@example.org", address=f"192.0.2.{number}")
    assert guard.rows() == 15
    guard.clock.forward(timedelta(hours=25).total_seconds())
    guard.attempt(email="new@example.org", address="198.51.100.1")
    assert guard.rows() == 3


def test_a_refused_try_leaves_no_row(guard: Guard) -> None:
    for number in range(LIMITS.failed_attempts_before_delay_per_address):
        guard.attempt(email=f"m{number}@example.org")
    before = guard.rows()
    for number in range(50):
        assert not guard.attempt(email=f"other{number}@example.org")
    assert guard.rows() == before


@pytest.mark.parametrize("scope", [Scope.HERE, Scope.NETWORK])
def test_delays_of_any_number_of_tries_stay_within_the_longest(scope: Scope) -> None:
    limits = limits_of(LIMITS)
    delays = [delay_after(failures, scope, limits) for failures in range(2000)]
    assert delays == sorted(delays)
    assert delays[-1] == limits.longest_delay


def test_a_right_try_frees_nobody_from_the_delay_of_a_wrong_one_made_meanwhile(guard: Guard) -> None:
    def slow() -> IdentityRefusal:
        guard.clock.forward(LIMITS.max_attempt_delay_s)
        assert guard.attempt(), "meanwhile"
        return WEAK

    for _ in range(LIMITS.failed_attempts_before_delay + 2):
        guard.attempt()
        guard.clock.forward(LIMITS.max_attempt_delay_s)
    assert guard.limiter.attempt(AttemptPurpose.SIGN_IN, MIA, Client("", "192.0.2.1"), slow) is WEAK
    assert not guard.attempt()
