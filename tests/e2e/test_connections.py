"""What Serve's servers and HAProxy make of requests before and after they reach an application."""

import re
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.api import Api


@pytest.mark.parametrize("path", ["/api/me/picture", "/default/api/gyms/machine"])
def test_who_waits_for_100_continue_gets_one_answer_in_its_place_and_is_told_to_close(stack: Api, path: str) -> None:
    address = urlsplit(stack.url)
    sent = "Expect: 100-continue\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000000"
    method = "PUT" if path.startswith("/api") else "POST"
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{sent}\r\n\r\n".encode())
        answer = connection.makefile("rb")
        head = b"".join(iter(answer.readline, b"\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", head)
        assert length
        body = answer.read(int(length[1]))
    assert head.startswith(b"http/1.1 401 "), head
    assert b"\r\nconnection: close\r\n" in head
    assert b'"unauthenticated"' in body


@pytest.mark.parametrize("path", ["/api/nothing", "/api/live/nothing", "/default/nothing"])
@pytest.mark.parametrize("sent", ["a b", "x" * 65, "é", "a.B_c-1"])
def test_header_and_body_name_one_request_id_and_no_malformed_one(stack: Api, path: str, sent: str) -> None:
    answer = httpx.get(f"{stack.url}{path}", headers={b"X-Request-Id": sent.encode()}, timeout=30)
    [named] = answer.headers.get_list("x-request-id")
    assert answer.json()["request_id"] == named
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", named)
    assert (named == sent) == (sent == "a.B_c-1")
