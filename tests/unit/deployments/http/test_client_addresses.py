"""Which address counts as the client's, whatever stands in the headers."""

import pytest
from starlette.requests import HTTPConnection

from deployments.http.client_addresses import ClientSource, client_of
from domain.identity.model import UNKNOWN_NETWORK, Client

PEER = "198.51.100.9"
XFF, STANDARD, REAL_IP = (ClientSource(header, 1) for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))


def client(source: ClientSource, *headers: tuple[str, str], peer: str | None = PEER) -> Client:
    """The client of a request with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "headers": raw, "client": (peer, 4711) if peer is not None else None}
    return client_of(HTTPConnection(scope), source)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:1", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("10.0.0.1, 192.0.2.7:4711", "192.0.2.7"),
    ],
)
def test_an_address_is_read_with_port_brackets_or_zone(written: str, address: str) -> None:
    assert client(XFF, ("X-Forwarded-For", written)).address == address


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            ",",
            "192.0.2.7,",
            "unknown",
            "_hidden",
            "gate.example",
            "192.0.2.7:",
            "192.0.2.7:x",
            "192.0.2.7:-1",
        ),
        *("192.0.2.7:99999", "192.0.2.07", "[192.0.2.7]:1", "[2001:db8::1", "[2001:db8::1]4711", "2001:db8::1::2"),
        *("192.0.2.7:\xb2", "[2001:db8::1]:", '"192.0.2.7"', "fe80::1%" + "x" * 1000 + "]"),
    ],
)
def test_what_is_no_address_leaves_the_peer_s(written: str) -> None:
    expected = "fe80::1" if written.startswith("fe80") else PEER
    assert client(XFF, ("X-Forwarded-For", written)).address == expected


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=192.0.2.7;proto=https;by=203.0.113.43", "192.0.2.7"),
        ('for="192.0.2.7:4711"', "192.0.2.7"),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="[2001:db8::1]:_port"; proto=https', "2001:db8::1"),
        ('proto="a,b;for=10.0.0.1";for=192.0.2.7', "192.0.2.7"),
        ('for=10.0.0.1, for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="10.0.0.1, for="[2001:db8::1]:4711"', "2001:db8::1"),  # a quote of the client's that is never closed
        ('for="", for=192.0.2.7', "192.0.2.7"),
        *((bad, PEER) for bad in ("192.0.2.7", "for=unknown", "for=_x", "by=192.0.2.7", 'for="192.0.2.7', "for=")),
        *((bad, PEER) for bad in ("for=192.0.2.7;for=10.0.0.1", "for=192.0.2.7 proto=https", "for=[2001:db8::1] x")),
    ],
)
def test_the_standard_header_is_read_as_rfc_7239_says(written: str, address: str) -> None:
    assert client(STANDARD, ("Forwarded", written)).address == address


def test_the_header_that_is_named_counts_and_no_other() -> None:
    headers = [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2"), ("X-Real-IP", "192.0.2.3")]
    assert [client(source, *headers).address for source in (XFF, STANDARD, REAL_IP)] == [
        *("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    ]
    for index, source in enumerate((XFF, STANDARD, REAL_IP)):
        others = [header for number, header in enumerate(headers) if number != index]
        assert client(source, *others).address == PEER


@pytest.mark.parametrize(
    ("hops", "address"), [(0, PEER), (1, "192.0.2.3"), (2, "192.0.2.2"), (3, "192.0.2.1"), (4, PEER)]
)
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_as_many_proxies_are_believed_as_are_named(header: str, hops: int, address: str) -> None:
    prefix = "for=" if header == "Forwarded" else ""
    lines = [f"{prefix}192.0.2.1, {prefix}192.0.2.2", f"{prefix}192.0.2.3"]
    sent = [(header, line) for line in lines]
    assert client(ClientSource(header, hops), *sent).address == address


@pytest.mark.parametrize("peer", [None, "", "testclient", "a.sock"])
def test_a_client_without_any_address_is_limited_all_the_same(peer: str | None) -> None:
    found = client(XFF, ("X-Forwarded-For", "192.0.2.7:x"), peer=peer)
    assert (found.address, found.network) == ("", UNKNOWN_NETWORK)


def test_the_cookie_of_a_device_is_read_and_nothing_that_is_longer_than_one() -> None:
    assert client(XFF, ("Cookie", "a=1; fm_device=abc.def; b=2")).device_cookie == "abc.def"
    assert client(XFF, ("Cookie", "fm_device=" + "a" * 513)).device_cookie == ""
    assert client(XFF, ("Cookie", "fm_device=\xff\x00;;=;fm")).device_cookie == "\xff\x00"
    assert "abc" not in repr(client(XFF, ("Cookie", "fm_device=abc")))
