"""Parameters as Stripe's SDK encodes them, and as they are validated."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from stripe._encode import _api_encode

from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import decode
from cluster.local.stripe_sandbox.parameters import Email, ListPage, Metadata, NewRefund, WebUrl, read

NAMES = st.text(alphabet="abcdefghij_", min_size=1, max_size=8)
VALUES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


def deep(level: int) -> Any:  # noqa: ANN401 - strategies of unlike values
    below = VALUES if level == 0 else st.one_of(VALUES, deep(level - 1))
    return st.one_of(st.dictionaries(NAMES, below, min_size=1, max_size=3), st.lists(below, min_size=1, max_size=3))


def keyed(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, list):
        return {str(index): keyed(below) for index, below in enumerate(value)}
    if isinstance(value, dict):
        return {name: keyed(below) for name, below in value.items()}
    return value


@given(st.dictionaries(NAMES, st.one_of(VALUES, deep(2)), max_size=4))
def test_parameters_that_the_sdk_encodes_are_decoded(sent: dict[str, Any]) -> None:
    assert decode(urlencode(list(_api_encode(sent)))) == keyed(sent)


def test_a_list_without_indices_is_numbered() -> None:
    assert decode("expand[]=a&expand[]=b") == {"expand": {"0": "a", "1": "b"}}


@pytest.mark.parametrize("text", ["a=1&a=2", "a=1&a[b]=2", "a[b]=1&a=2", "a[=1", "[a]=1", "a" + "[a]" * 9 + "=1", "=1"])
def test_an_ambiguous_form_is_refused(text: str) -> None:
    with pytest.raises(SandboxError):
        decode(text)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(SandboxError):
        decode("a=%ff")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(SandboxError, match="unknown parameter: colour") as refused:
        read(NewRefund, decode("payment_intent=pi_1&amount=1&colour=red"))
    assert (refused.value.code, refused.value.param, refused.value.status) == ("parameter_unknown", "colour", 400)


@pytest.mark.parametrize("value", ["x", "1.5", "1.0", "0", "-1", "", "1e3", "1_000", " 1", "9" * 30, "\u0661"])
def test_a_value_that_is_not_a_positive_integer_is_refused(value: str) -> None:
    with pytest.raises(SandboxError) as refused:
        read(NewRefund, {"payment_intent": "pi_1", "amount": value})
    assert refused.value.param == "amount"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "/s", "http://", "http://[x", "http://a/ b", "http://a/\n", "ftp://a/", "data:,"]
)
def test_a_value_that_is_not_a_web_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WebUrl).validate_python(url)


@pytest.mark.parametrize("email", ["a", "a@b", "a b@c.de", "@c.de", "a@c.", "<a@c.de>"])
def test_a_value_that_is_not_an_email_address_is_refused(email: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Email).validate_python(email)


def test_metadata_has_bounds() -> None:
    metadata: TypeAdapter[Metadata] = TypeAdapter(Metadata)
    assert metadata.validate_python({"a": "1"}) == {"a": "1"}
    for sent in ({f"k{n}": "1" for n in range(51)}, {"k" * 41: "1"}, {"a": "v" * 501}, {"a": {"b": "1"}}, "text"):
        with pytest.raises(ValidationError):
            metadata.validate_python(sent)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *(("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("colour=red", "colour")),
        *(("created[lt]=1", "created[lt]"), ("created[gte]=x", "created[gte]"), ("starting_after=", "starting_after")),
        ("payment_intent=pi_1", "payment_intent"),
    ],
)
def test_a_wrong_parameter_of_a_list_is_named(query: str, param: str) -> None:
    with pytest.raises(SandboxError) as refused:
        read(ListPage, decode(query))
    assert refused.value.param == param
