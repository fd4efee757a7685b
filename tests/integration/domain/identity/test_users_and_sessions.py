"""Users, sessions and repeated calls, on each store."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select

from domain.door.model import Direction, EndVisitRequest, Inferred
from domain.door.tables import scans, visits
from domain.identity import personal_data_service, service
from domain.identity.code_answer_repository import CodeAnswerRepository
from domain.identity.model import (
    Caller,
    Client,
    IdentityProblem,
    IdentityRefusal,
    Role,
    Session,
    User,
    UserFilter,
    UserState,
)
from domain.identity.ports import RoleAction
from domain.identity.repository import UserRepository
from domain.identity.session_repository import SessionRepository
from domain.identity.tables import users
from domain.ids import new_id
from domain.paging import PageRequest
from domain.tables import metadata
from domain.text import search_key
from domain.unit_of_work import Store
from tests.world import START, World

T = TypeVar("T")

CLIENT = Client("phone", "192.0.2.1")
KEPT_FOR = timedelta(hours=24)
ALL = PageRequest(50)


@pytest.fixture
def store(world: World) -> Store:
    return world.store


def caller(user_id: UUID | None = None, email: str = "mia@example.org", name: str = "Mia Ruiz", **more: str) -> Caller:
    groups = tuple(more.get("groups", "User").split())
    return Caller(user_id or new_id(), groups, new_id(), START, START + timedelta(hours=1), email=email, name=name)


def known(store: Store, who: Caller) -> User:
    user = store.written(lambda connection: service.know_caller(connection, who, CLIENT, START))
    assert isinstance(user, User)
    return user


def problem(answer: object) -> IdentityProblem:
    assert isinstance(answer, IdentityRefusal), answer
    return answer.problem


def test_what_a_token_says_of_any_length_is_kept_as_far_as_it_fits(store: Store) -> None:
    long = caller(name="Ana " + "x" * 195 + "\U0001f469\u200d\U0001f680" + "y" * 2000)
    assert known(store, long).name == "Ana " + "x" * 195
    renamed = replace(long, session_id=new_id(), name="ž" * 2048)
    assert known(store, renamed).name == "ž" * 200
    nameless = replace(caller(email="", name=""), username="provider_" + "z" * 500)
    assert len(known(store, nameless).name) == 200
    no_address = caller(email="a" * 5000 + "@example.org", name="")
    assert (known(store, no_address).email, len(known(store, no_address).name)) == (None, 200)


def test_sessions_live_until_they_end_and_only_of_those_who_may_sign_in(store: Store, world: World) -> None:
    who = caller(groups="Staff")
    user = known(store, who)
    second = new_id()
    later = START + timedelta(seconds=5)
    session = Session(second, user.id, "tablet", "192.0.2.2", later, later, None)
    store.written(lambda connection: SessionRepository(connection).add(session))

    def states() -> set[UUID]:
        with world.store.reading() as connection:
            return set(SessionRepository(connection).states([who.session_id, second, new_id()]))

    with world.store.reading() as connection:
        first = SessionRepository(connection).living(user.id, PageRequest(1))
        rest = SessionRepository(connection).living(user.id, PageRequest(1, first.next))
        state = SessionRepository(connection).states([second])[second]
    assert [one.id for one in (*first.items, *rest.items)] == [second, who.session_id]
    assert (state.user_id, state.roles) == (user.id, frozenset({Role.USER, Role.STAFF}))
    store.written(lambda connection: SessionRepository(connection).used([second], later))
    assert not store.written(lambda connection: SessionRepository(connection).end(new_id(), second, later))
    assert states() == {who.session_id, second}
    assert store.written(lambda connection: SessionRepository(connection).end(user.id, second, later))
    assert states() == {who.session_id}
    store.written(lambda connection: UserRepository(connection).change(user.id, disabled_at=later))
    assert states() == set()
    store.written(lambda connection: UserRepository(connection).change(user.id, disabled_at=None))
    store.written(lambda connection: SessionRepository(connection).end_all(user.id, later, but=who.session_id))
    assert states() == {who.session_id}
    store.written(lambda connection: SessionRepository(connection).end_all(user.id, later))
    assert states() == set()


def test_an_ended_session_a_disabled_and_a_deleted_user_are_refused(store: Store) -> None:
    who = caller()
    user = known(store, who)
    again = caller(user.id)

    def know(one: Caller) -> object:
        return store.written(lambda connection: service.know_caller(connection, one, CLIENT, START))

    store.written(lambda connection: SessionRepository(connection).end(user.id, who.session_id, START))
    assert problem(know(who)) is IdentityProblem.SESSION_OVER
    assert isinstance(know(again), User)
    store.written(lambda connection: service.set_enabled(connection, None, user.id, enabled=False, now=START))
    assert problem(know(caller(user.id))) is IdentityProblem.ACCOUNT_DISABLED
    store.written(lambda connection: service.set_enabled(connection, None, user.id, enabled=True, now=START))
    store.written(lambda connection: personal_data_service.begin_deleting(connection, user.id, user.id, START))
    assert problem(know(caller(user.id))) is IdentityProblem.SESSION_OVER


def test_a_new_user_whom_many_replicas_see_at_once_is_one_row(store: Store, world: World) -> None:
    user_id = new_id()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: known(store, caller(user_id)), range(12)))
    assert len({user.id for user in found}) == 1
    with world.store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(users)).scalar_one() == 1


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("mia@e", ["mia@example.org"]),
        ("Ruiz", ["mia@example.org"]),
        ("ruiz", ["mia@example.org"]),
        ("uiz", []),
        ("100%", ["percent@example.org"]),
        ("1%", []),
        ("u_d", ["u_d@example.org"]),
        ("!", ["bang@example.org"]),
        ("nobody", []),
        *(
            (typed, ["ozlem@example.org"])
            for typed in ("\u00f6zlem", "O\u0308ZLEM", "ozlem", "\u0131\u015f\u0131k", "isik")
        ),
        *((typed, ["ivan@example.org"]) for typed in ("\u0438\u0432\u0430\u043d", "\u0418\u0412\u0410\u041d")),
        *(
            (typed, ["sofia@example.org"])
            for typed in (
                "\u03c3\u03bf\u03c6\u03b9\u03b1\u03c2",
                "\u03a3\u039f\u03a6\u0399\u0391\u03a3",
                "\u03c3\u03bf\u03c6\u03af\u03b1",
            )
        ),
        *((typed, ["emile@example.org"]) for typed in ("\u00c9mile", "E\u0301mile", "\u00e9MILE", "emile")),
        *((typed, ["mia@xn--bcher-kva.example"]) for typed in ("mia@b\u00fccher.example", "MIA@BU\u0308CHER.example")),
        *((typed, ["wide@example.org"]) for typed in ("wide name", "name", "\uff57\uff49\uff44\uff45\u3000n")),
        ("\u200b", []),
        ("\u0301", []),
        ("\ufdfa" * 90, []),
    ],
)
def test_users_are_found_by_how_their_address_name_or_a_word_of_it_begins(
    store: Store, world: World, search: str, found: list[str]
) -> None:
    for email, name in (
        ("mia@example.org", "Mia Ruiz"),
        ("percent@example.org", "100% Sure"),
        ("u_d@example.org", "Under"),
        ("uxd@example.org", "Other"),
        ("bang@example.org", "! Bang"),
        ("ozlem@example.org", "\u00d6zlem I\u015f\u0131k"),
        ("ivan@example.org", "\u0418\u0432\u0430\u043d"),
        ("sofia@example.org", "\u03a3\u03bf\u03c6\u03af\u03b1\u03c2"),
        ("emile@example.org", "E\u0301mile"),
        ("mia@b\u00fccher.example", "Bookworm"),
        ("wide@example.org", "\uff37ide\u3000Name"),
    ):
        known(store, caller(email=email, name=name))
    with world.store.reading() as connection:
        listed = UserRepository(connection).users(UserFilter(search), ALL).items
    assert [user.email for user in listed] == found


def test_a_user_is_found_by_the_present_name_alone(store: Store, world: World) -> None:
    user = known(store, caller(name="Mia Ruiz"))

    def found(search: str) -> list[UUID]:
        with world.store.reading() as connection:
            return [one.id for one in UserRepository(connection).users(UserFilter(search), ALL).items]

    store.written(lambda connection: service.rename(connection, user.id, user.id, "\u00d6zlem", START))
    assert (found("ruiz"), found("ozlem")) == ([], [user.id])
    known(store, caller(user.id, name="\u0418\u0432\u0430\u043d"))
    assert (found("ozlem"), found("\u0438\u0432\u0430\u043d")) == ([], [user.id])
    store.written(lambda connection: personal_data_service.begin_deleting(connection, user.id, user.id, START))
    store.written(lambda connection: personal_data_service.finish_deleting(connection, user.id, START))
    with world.store.reading() as connection:
        kept = connection.execute(select(users.c.search_name).where(users.c.id == user.id)).scalar_one()
    assert kept == search_key(personal_data_service.DELETED_NAME), "nothing is left of the name"


def test_addresses_are_compared_code_point_for_code_point(world: World) -> None:
    """As MariaDB's usual collations do not: to them all of these are one."""
    looking_alike = ("muller@example.org", "m\u00fcller@example.org", "mu\u0308ller@example.org", "MULLER@example.org")
    with world.store.writing() as connection:
        for email in looking_alike:
            connection.execute(insert(users).values(id=new_id(), email=email, name="Mia", created_at=START))
    with world.store.reading() as connection:
        for email in looking_alike:
            assert connection.execute(select(users.c.email).where(users.c.email == email)).scalars().all() == [email]


@pytest.mark.parametrize(
    ("email", "username", "name"),
    [
        ("", "facebook_10158000000000000", "facebook_10158000000000000"),
        (None, "google_42", "google_42"),
        ("mia@localhost", None, "mia"),
        ("nobody", None, "nobody"),
    ],
)
def test_a_user_without_a_usable_address_has_none(
    store: Store, world: World, email: str | None, username: str | None, name: str
) -> None:
    who = replace(caller(), email=email, username=username, name=None)
    user = known(store, who)
    assert (user.email, user.name) == (None, name)
    second = known(store, replace(who, user_id=new_id(), session_id=new_id()))
    assert second.email is None, "nobody's address is in nobody's way"
    with world.store.reading() as connection:
        kept = connection.execute(select(users.c.email).where(users.c.id == user.id)).scalar_one()
        repository = UserRepository(connection)
        assert kept is None
        for text in filter(None, ("", "none", "null", email, username)):
            assert repository.user_of(text) is None
        assert {one.id for one in repository.users(UserFilter(name), ALL).items} == {user.id, second.id}
        assert personal_data_service.export_account(connection, user.id)["account"][0]["email"] is None
    assert known(store, replace(who, session_id=new_id())).email is None


def test_an_address_that_the_provider_learns_or_loses_is_followed(store: Store, world: World) -> None:
    user = known(store, replace(caller(), email="", username="facebook_1"))
    with_address = caller(user.id, "mia@example.org")
    assert known(store, with_address).email == "mia@example.org"
    silent = replace(with_address, email=None, session_id=new_id())
    assert known(store, silent).email == "mia@example.org", "a token that does not say it changes nothing"
    assert known(store, replace(silent, email="", session_id=new_id())).email is None
    with world.store.reading() as connection:
        history = UserRepository(connection).history(user.id, ALL).items
    assert [change.detail for change in history] == ["mia@example.org → none", "none → mia@example.org", ""]


def test_a_deleted_user_has_no_address_and_another_may_take_it(store: Store, world: World) -> None:
    gone = known(store, caller())
    store.written(lambda connection: personal_data_service.begin_deleting(connection, gone.id, gone.id, START))
    store.written(lambda connection: personal_data_service.finish_deleting(connection, gone.id, START))
    with world.store.reading() as connection:
        assert connection.execute(select(users.c.email).where(users.c.id == gone.id)).scalar_one() is None
    assert known(store, caller()).email == "mia@example.org"


def test_users_are_filtered_by_role_and_state_and_paged_without_loss(store: Store, world: World) -> None:
    made = [known(store, caller(email=f"m{number}@example.org")) for number in range(7)]
    store.written(
        lambda connection: service.record_role(connection, None, made[0].id, Role.STAFF, RoleAction.ADD, START)
    )
    store.written(lambda connection: service.set_enabled(connection, None, made[1].id, enabled=False, now=START))
    store.written(lambda connection: UserRepository(connection).change(made[2].id, banned_at=START))
    with world.store.reading() as connection:
        repository = UserRepository(connection)
        for wanted, expected in (
            (UserFilter(role=Role.STAFF), {made[0].id}),
            (UserFilter(state=UserState.DISABLED), {made[1].id}),
            (UserFilter(state=UserState.BANNED), {made[2].id}),
            (UserFilter(state=UserState.ACTIVE), {user.id for user in made} - {made[1].id, made[2].id}),
        ):
            assert {user.id for user in repository.users(wanted, ALL).items} == expected
        for limit in range(1, 9):
            seen: list[UUID] = []
            after = None
            while True:
                part = repository.users(UserFilter(), PageRequest(limit, after))
                seen += [user.id for user in part.items]
                after = part.next
                if after is None:
                    break
            assert seen == sorted(seen)
            assert set(seen) == {user.id for user in made}


def test_a_deleted_member_leaves_facts_without_a_person(store: Store, world: World) -> None:
    gym, member = world.gym(), world.member()
    known(store, caller(member, email="gone@example.org"))
    world.answer(world.scan(gym, world.code(member), Direction.ENTER))
    gym_inside = store.written(
        lambda connection: personal_data_service.begin_deleting(connection, member, member, START)
    )
    assert gym_inside == gym
    with pytest.raises(ValueError, match="open visit"):
        store.written(lambda connection: personal_data_service.finish_deleting(connection, member, START))
    world.clock.forward(60)
    now = world.clock()
    world.ask(EndVisitRequest(member, gym, Inferred.ACCOUNT_DELETED, now, now + timedelta(seconds=1)))
    for _ in range(2):  # whoever was cut off asks again
        assert (
            store.written(lambda connection: personal_data_service.begin_deleting(connection, member, member, START))
            is None
        )
        store.written(lambda connection: personal_data_service.finish_deleting(connection, member, START))
    with world.store.reading() as connection:
        assert set(connection.execute(select(scans.c.member_id)).scalars()) == {None}
        assert set(connection.execute(select(visits.c.member_id)).scalars()) == {None}
        rest = str(personal_data_service.export_account(connection, member))
    assert "gone@example.org" not in rest
    assert "Mia Ruiz" not in rest
    assert (
        problem(
            store.written(lambda connection: personal_data_service.begin_deleting(connection, member, new_id(), START))
        )
        is IdentityProblem.UNKNOWN_USER
    )


# Of a member, and not in the export: what is there says why.
NOT_EXPORTED = {
    "member_keys": "a random number that only the attendance archive uses",
    "open_visits": "the same visits stand in `visits`",
    "open_machine_uses": "the same uses stand in `machine_uses`",
    "open_orders": "the same orders stand in `orders`",
    "sign_in_attempts": "kept by a hash, whether or not there is such an account",
}


def test_every_table_that_names_a_member_is_exported_or_says_why_not(store: Store, world: World) -> None:
    user = known(store, caller())
    with world.store.reading() as connection:
        exported = set(personal_data_service.export_account(connection, user.id))
    names = {"users": "account", "user_roles": "roles", "user_changes": "history", "ledger_entries": "ledger"}
    of_members = {
        table.name
        for table in metadata.sorted_tables
        if table.name == "users" or {"user_id", "member_id"} & set(table.columns.keys())
    }
    assert {names.get(name, name) for name in of_members} - exported == set(NOT_EXPORTED) & of_members


def test_a_code_s_answer_is_kept_until_it_expires(store: Store) -> None:
    until = START + timedelta(seconds=60)
    store.written(lambda connection: CodeAnswerRepository(connection).keep("c", "sealed", until, START))
    for seconds, answer in ((0, "sealed"), (59, "sealed"), (60, None)):
        at = START + timedelta(seconds=seconds)
        assert store.written(lambda connection: CodeAnswerRepository(connection).answer("c", at)) == answer  # noqa: B023 - run at once
