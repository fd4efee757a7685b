"""What the door must answer, as far as that is determined: the rush's own model of docs/door.md."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cluster.load.passes import Code
from cluster.load.rush.world import RushMember
from cluster.load.world import Kind
from domain.door.model import DoorLimits, Outcome, Reason, ScanAnswer, ShownMember
from domain.passes import GOOD_AFTER

Said = tuple[Outcome, Reason | None]

ENTERED: Said = (Outcome.ENTERED, None)
LEFT: Said = (Outcome.LEFT, None)
FULL: Said = (Outcome.REFUSED, Reason.GYM_FULL)
USED: Said = (Outcome.REFUSED, Reason.USED_PASS)
EXPIRED: Said = (Outcome.REFUSED, Reason.EXPIRED_PASS)
ALREADY_INSIDE: Said = (Outcome.REFUSED, Reason.ALREADY_INSIDE)
HELD_UP_FOR = DoorLimits().repeat_window
_REFUSED_KINDS = {
    Kind.NO_MEMBERSHIP: Reason.NO_MEMBERSHIP,
    Kind.ENDED: Reason.MEMBERSHIP_ENDED,
    Kind.BANNED: Reason.BANNED,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer may say.

    Args:
        said: outcomes with their reasons; more than one where the moment of the decision matters.
        member: whom it must name; None: nobody.
        replayed: whether it must be an earlier answer; None: either.
    """

    said: frozenset[Said]
    member: RushMember | None
    replayed: bool | None = False


Must = Callable[[datetime], Expected]  # by when it was answered


def entry(member: RushMember, code: Code) -> Must:
    """Somebody comes in with a good code. Whether there is a place is known to the door alone."""
    reason = _REFUSED_KINDS.get(member.kind)
    said = frozenset({ENTERED, FULL} if reason is None else {(Outcome.REFUSED, reason)})
    return lambda answered_at: Expected(said | _stale_by(code, answered_at), member)


def exit_(member: RushMember) -> Must:
    """Somebody goes out: never refused."""
    return lambda _: Expected(frozenset({LEFT}), member)


def held_up(member: RushMember, entered_at: datetime) -> Must:
    """A phone shown again at the gate where it has just let its owner in."""

    def must(answered_at: datetime) -> Expected:
        if answered_at - entered_at <= HELD_UP_FOR:
            return Expected(frozenset({ENTERED}), member, replayed=True)
        return Expected(frozenset({ENTERED, ALREADY_INSIDE, USED, EXPIRED}), member, replayed=None)

    return must


def copied(member: RushMember, code: Code, shown_at: datetime) -> Must:
    """A code that has let somebody in, at another gate. Used, until it is stale by its age."""
    still_good = frozenset({USED}) if shown_at <= code.issued_at + GOOD_AFTER else frozenset[Said]()
    return lambda answered_at: Expected(still_good | _stale_by(code, answered_at), member)


def passed_back(member: RushMember, code: Code) -> Must:
    """Another good code of somebody who is inside, at the other gate."""
    return lambda answered_at: Expected(frozenset({ALREADY_INSIDE}) | _stale_by(code, answered_at), member)


def stale(member: RushMember) -> Must:
    """A code that is long past."""
    return lambda _: Expected(frozenset({EXPIRED}), member)


def forged() -> Must:
    """A code that nobody signed: it names nobody."""
    return lambda _: Expected(frozenset({(Outcome.REFUSED, Reason.UNKNOWN_PASS)}), None)


def _stale_by(code: Code, answered_at: datetime) -> frozenset[Said]:
    """What a code may be refused for besides, if it was good for too short a time to be heard."""
    return frozenset({EXPIRED}) if answered_at > code.issued_at + GOOD_AFTER else frozenset()


def faults(expected: Expected, answer: ScanAnswer, scan_id: str, capacity: int, *, repeated: bool) -> Iterator[str]:
    """What an answer says that it must not.

    Args:
        capacity: of the gym.
        repeated: the device had to ask more than once, and the first time may have been decided.
    """
    member = expected.member
    shown = ShownMember(member.id, member.name, None) if member else None
    if (answer.outcome, answer.reason) not in expected.said:
        allowed = " or ".join(sorted(_words(said) for said in expected.said))
        yield f"{_words((answer.outcome, answer.reason))}, not {allowed}"
    if answer.scan_id != scan_id:
        yield "it is the answer to another scan"
    if answer.member != shown:
        yield f"it names {answer.member}, not {shown}"
    if expected.replayed is not None and answer.replayed != expected.replayed and not repeated:
        yield f"replayed is {answer.replayed}"
    if answer.capacity != capacity or not 0 <= answer.occupancy <= capacity:
        yield f"{answer.occupancy} of {answer.capacity} inside, where {capacity} have room"
    if answer.reason is Reason.GYM_FULL and answer.occupancy != capacity:
        yield f"full with {answer.occupancy} of {capacity} inside"


def _words(said: Said) -> str:
    outcome, reason = said
    return f"{outcome}: {reason}" if reason else str(outcome)
