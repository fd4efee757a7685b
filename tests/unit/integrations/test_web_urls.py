"""Which addresses of pages are plain enough to send a browser to, and how they are written anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.web_urls import origin_of, parse_web_url


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example.com:443", "https://app.example.com"),
        ("https://APP.example.com./", "https://app.example.com"),
        ("http://localhost:4200", "http://localhost:4200"),
        ("http://[0:0::1]:80/", "http://[::1]"),
        ("https://müller.example", "https://xn--mller-kva.example"),
        ("https://faß.de", "https://xn--fa-hia.de"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, origin: str) -> None:
    assert origin_of(text) == origin


@pytest.mark.parametrize("text", ["*", "", "null", "https://*", "https://app.example.com/page", "https://a.example?x"])
def test_what_is_more_or_less_than_an_origin_is_none(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize(
    "host", ["", "a..example", "a b", "[::1", "[::g]", "a%41.example", "x" * 300, "\u00ad", "é" * 300]
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    assert parse_web_url(f"https://{host}/") is None


@given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,20}(:[0-9]{0,5})?(/.*)?", fullmatch=True))
def test_what_is_written_reads_the_same_again(text: str) -> None:
    address = parse_web_url(text)
    if address is not None:
        assert address.text.isascii()
        assert parse_web_url(address.text) == address
        assert not set(address.text) & set(" \\#\t\r\n")
