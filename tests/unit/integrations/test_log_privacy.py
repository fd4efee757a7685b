"""Nothing that is logged names a person: by structlog, by the standard library, with and without an exception."""

import asyncio
import json
import logging
import smtplib
from collections.abc import Callable, Iterator
from io import StringIO

import httpx
import msgspec
import pytest
import structlog
from botocore.exceptions import ClientError
from pydantic import BaseModel, TypeAdapter
from ray._common.formatters import JSONFormatter

from deployments.gateway.identity.schemas import PersonName
from deployments.http.path_redaction import logged_path, words_of
from deployments.service_host import DatabaseUnavailableError
from domain.identity.email_addresses import CollidingAddressesError, normal_address
from domain.identity.model import Role
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.log_privacy import redact_addresses
from integrations.logs import configure_logging
from integrations.settings import Settings

EMAIL, NAME = "mia.ruiz@example.org", "Mia Ruiz"


class _Person(BaseModel):
    name: PersonName


class _Said(msgspec.Struct):
    role: Role


def _in_the_database() -> None:
    store = Store("sqlite://", pool_size=1)
    try:
        with store.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE people (email TEXT UNIQUE)")
            for _ in range(2):
                connection.exec_driver_sql("INSERT INTO people VALUES (?)", (EMAIL,))
    finally:
        store.close()


def _wrong_type() -> None:
    store = Store("sqlite://", pool_size=1)
    try:
        with store.reading() as connection:
            connection.exec_driver_sql("SELECT ?", ([EMAIL, NAME],))
    finally:
        store.close()


def _refused_by_cognito() -> None:
    said = f"Value '{EMAIL}' at 'username' failed to satisfy constraint, says {NAME}"
    raise ClientError({"Error": {"Code": "InvalidParameterException", "Message": said}}, "SignUp")


def _refused_by_mail() -> None:
    raise smtplib.SMTPRecipientsRefused({EMAIL: (550, f"no {NAME} here".encode())})


def _unreachable() -> None:
    request = httpx.Request("GET", f"http://127.0.0.1/users?search={NAME}")
    httpx.Response(500, request=request).raise_for_status()


def _chained() -> None:
    try:
        {"mia": 1}[NAME]
    except KeyError as error:
        raise DatabaseUnavailableError(f"no {EMAIL}") from error


def _in_a_group() -> None:
    raise ExceptionGroup("several", [ValueError(NAME), DatabaseUnavailableError(EMAIL)])


FAULTS: tuple[Callable[[], object], ...] = (
    _in_the_database,
    _wrong_type,
    _refused_by_cognito,
    _refused_by_mail,
    _unreachable,
    _chained,
    _in_a_group,
    lambda: _Person.model_validate({"name": f"{NAME}\x00{EMAIL}"}),
    lambda: TypeAdapter(int).validate_python(NAME),
    lambda: msgspec.json.decode(json.dumps({"role": NAME}), type=_Said),
    lambda: Role(NAME),
    lambda: int(NAME),
    lambda: normal_address(f"{NAME}\u200b{EMAIL}"),
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("fault", FAULTS)
def test_an_exception_says_what_and_where_but_not_who(
    capsys: pytest.CaptureFixture[str], fault: Callable[[], object]
) -> None:
    configure_logging(Settings())
    written = StringIO()
    log = logging.getLogger("a.library")
    handlers: list[logging.Handler] = [logging.StreamHandler(written), logging.StreamHandler(written)]
    handlers[1].setFormatter(JSONFormatter())
    log.handlers, log.propagate = handlers, False
    kind = "nothing failed"
    try:
        fault()
    except Exception as error:
        kind = type(error).__name__
        structlog.get_logger().exception("failed", path=f"/users/{EMAIL}", who=[{"email": EMAIL}])
        log.exception("failed for %s", EMAIL)
        log.warning(f"failed for {EMAIL}")
        log.warning(error)
    assert kind in written.getvalue()
    line = capsys.readouterr().err
    told = json.loads(line)
    assert told["path"] == "/users/[address]"
    assert told["exception"][0]["frames"][-1]["lineno"]
    for name in (EMAIL, "mia", "Mia", "ruiz", "Ruiz"):
        assert name not in line
        assert name not in written.getvalue()


def test_the_text_of_our_own_exceptions_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    account = new_id()
    for error in (NoLocalIdentityError("there is no provider"), CollidingAddressesError([[account]])):
        try:
            raise error
        except type(error):
            structlog.get_logger().exception("failed")
    first, second = [json.loads(line)["exception"][0] for line in capsys.readouterr().err.splitlines()]
    assert first["exc_value"] == "there is no provider"
    assert str(account) in second["exc_value"]


@pytest.mark.parametrize("local_part", ["o'brien", "a{b}", "mia'", "{}", "'", "mia=", "mia/", "a|b", "m`", "?", "m&?&"])
@pytest.mark.parametrize(
    "around", ["{}", "to {} now", "'{}'", '{{"to": "{}"}}', "/users/{}", "/users?email={}&limit=1"]
)
@pytest.mark.parametrize("at", ["@", "%40"])
def test_an_address_of_any_signs_is_hidden(local_part: str, around: str, at: str) -> None:
    email = normal_address(f"{local_part}@example.org").replace("@", at)
    told = redact_addresses(around.format(email))
    assert "[address]" in told
    assert "example" not in told
    assert len(told.replace("[address]", "")) <= len(around.format("")), "nothing of it is left over"


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 1_000_000 + " @", "a@" * 300_000, "@" * 1_000_000, "%4" * 300_000 + "@ %40"),
        *("'" * 1_000_000 + " @", "/" * 1_000_000 + " @", "a/" * 300_000 + " @", "'a" * 300_000 + " @", "'/" * 300_000),
    ],
)
def test_a_text_of_any_kind_is_read_once(text: str) -> None:
    redact_addresses(text)  # a pattern that tried every beginning would take hours


def test_the_error_of_a_task_that_nobody_awaits_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    configure_logging(Settings())

    async def fails() -> None:
        raise ValueError(EMAIL)

    async def forget() -> None:
        task = asyncio.ensure_future(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(forget())
    assert "never retrieved" in caplog.text
    assert EMAIL not in caplog.text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "/users/0198c0de-0000-7000-8000-000000000000/roles/Staff",
            "/users/0198c0de-0000-7000-8000-000000000000/roles/…",
        ),
        ("/invoices/0198c0de-0000-7000-8000-000000000000.pdf", "/invoices/0198c0de-0000-7000-8000-000000000000.pdf"),
        ("/gyms/7", "/gyms/7"),
        ("/users/mia", "/users/…"),
        (f"/users/{EMAIL}", "/users/…"),
        ("/users/Mia Ruiz/history", "/users/…/history"),
        ("/mia/ruiz", "/…/…"),
        ("/users/004915112345678", "/users/…"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_a_path_is_logged_with_its_fixed_parts_and_ids_alone(path: str, told: str) -> None:
    words = words_of(
        ["/users/{user_id}/history", "/users/{user_id}/roles/{role}", "/gyms/{number}", "/invoices/{id}.pdf"]
    )
    assert logged_path(path, words) == told
