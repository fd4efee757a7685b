"""Parameters as Stripe's SDK encodes them."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from cluster.local.stripe_sandbox.errors import InvalidParameterError, SandboxError
from cluster.local.stripe_sandbox.forms import decode
from cluster.local.stripe_sandbox.parameters import Parameters

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
def test_what_the_sdk_encodes_is_read_as_it_was(sent: dict[str, Any]) -> None:
    assert decode(urlencode(list(_api_encode(sent)))) == keyed(sent)


def test_a_list_without_indices_is_counted() -> None:
    assert decode("expand[]=a&expand[]=b") == {"expand": {"0": "a", "1": "b"}}


@pytest.mark.parametrize("text", ["a=1&a=2", "a=1&a[b]=2", "a[b]=1&a=2", "a[=1", "[a]=1", "a" + "[a]" * 9 + "=1", "=1"])
def test_a_form_that_means_two_things_or_none_is_refused(text: str) -> None:
    with pytest.raises(SandboxError):
        decode(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(SandboxError):
        decode("a=%ff")


def test_what_nobody_took_is_unknown() -> None:
    sent = Parameters(decode("amount=1&colour=red"))
    assert sent.integer("amount", 1) == 1
    with pytest.raises(InvalidParameterError, match="unknown parameter: colour") as refused:
        sent.done()
    assert (refused.value.code, refused.value.param, refused.value.status) == ("parameter_unknown", "colour", 400)


@pytest.mark.parametrize("value", ["x", "1.5", "0", "-1", "", "1e3", "9" * 30, "\u0661"])
def test_what_is_no_positive_integer_is_refused(value: str) -> None:
    with pytest.raises(InvalidParameterError):
        Parameters({"amount": value}).integer("amount", 1)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "/s", "http://", "http://[x", "http://a/ b", "ftp://a/", "data:,"]
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(InvalidParameterError):
        Parameters({"success_url": url}).url("success_url")


@pytest.mark.parametrize("email", ["a", "a@b", "a b@c.de", "@c.de", "a@c.", "<a@c.de>"])
def test_what_is_no_email_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidParameterError):
        Parameters({"customer_email": email}).email("customer_email")


def test_metadata_has_bounds() -> None:
    assert Parameters(decode("metadata[a]=1&metadata[b]=")).metadata() == {"a": "1"}
    for text in (
        "&".join(f"metadata[k{n}]=1" for n in range(51)),
        f"metadata[{'k' * 41}]=1",
        f"metadata[a]={'v' * 501}",
    ):
        with pytest.raises(InvalidParameterError):
            Parameters(decode(text)).metadata()
