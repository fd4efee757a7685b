"""What a client of the public port gets while Serve does not know an application: HAProxy itself runs here."""

import json
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from cluster.errors import CommandError
from cluster.local.haproxy import haproxy_environment
from cluster.local.ports import PortBlock
from deployments.http.error_codes import KINDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
    from ray.serve.config import HTTPOptions

_PREFIXES = ("/api", "/api/scans", "/api/live", "/default")
_STOP_S = 10.0


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes


class _Ours(BaseHTTPRequestHandler):
    """An application of ours: its 404 has the headers that all its answers have."""

    status, said, own_headers = 404, b'{"code":"unknown_gym"}', True

    def do_GET(self) -> None:
        # HAProxy removes a server whose health check fails.
        self.send_response(200 if self.path == "/-/healthz" else self.status)
        self.send_header("Content-Length", str(len(self.said)))
        if self.own_headers:
            self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_arguments: object) -> None:
        pass


class _ServesProxy(_Ours):
    """Serve's own proxy, which does not know the route."""

    said, own_headers = b"Path '/api/x' not found.", False


@contextmanager
def _server(kind: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Proxy:
    """HAProxy with what Serve writes for these applications, started by the script as Serve starts it."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self._folder = folder
        self._cleanup = cleanup
        self._ports = PortBlock()
        cleanup.callback(self._ports.close)
        self.port = 0

    def start(
        self,
        known: Mapping[str, tuple[str, int]] | None = None,
        prefixes: Sequence[str] = _PREFIXES,
        *,
        signs_in: bool = True,
    ) -> Callable[..., Answer]:
        """`known`: the prefixes that Serve knows, each with the name and the port of the server behind it."""
        (self.port,) = self._ports.take(1)
        environment = haproxy_environment(
            self._folder, self._ports, "127.0.0.1", self.port, prefixes, signs_in=signs_in
        )
        config = HAProxyConfig(
            http_options=HTTPOptions(host="127.0.0.1", port=self.port),
            stats_port=int(environment["RAY_SERVE_HAPROXY_STATS_PORT"]),
            metrics_port=int(environment["RAY_SERVE_HAPROXY_METRICS_PORT"]),
            socket_path=environment["RAY_SERVE_HAPROXY_SOCKET_PATH"],
            metrics_socket_path=environment["RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH"],
            metrics_enabled=False,
            enable_hap_optimization=False,
            maxconn=100,
            nbthread=1,
        )
        backends = {
            f"http-{number}": BackendConfig(
                name=f"http-{number}",
                path_prefix=prefix,
                app_name=f"app{number}",
                servers=[ServerConfig(name=name, host="127.0.0.1", port=port)],
            )
            for number, (prefix, (name, port)) in enumerate((known or {}).items())
        }
        file = environment["RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"]
        HAProxyApi(config, backends, file)._generate_config_file_internal()  # noqa: SLF001 - what Serve writes, without its processes
        log = self._cleanup.enter_context((self._folder / "log").open("wb"))
        script = environment["RAY_SERVE_HAPROXY_BINARY_PATH"]
        process = subprocess.Popen([script, "-db", "-f", file], stdout=log, stderr=log, env=dict(os.environ))
        self._cleanup.callback(process.wait, _STOP_S)
        self._cleanup.callback(process.kill)
        while not self._answers():
            assert process.poll() is None, (self._folder / "log").read_text(encoding="utf-8")
            time.sleep(0.02)
        return self.ask

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        link = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request(method, path, headers=dict(headers or {}))
            answer = link.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            link.close()

    def _answers(self) -> bool:
        try:
            return self.ask("/nothing").status > 0
        except OSError:
            return False


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with ExitStack() as cleanup:
        yield Proxy(tmp_path, cleanup)


def _is_starting(answer: Answer) -> bool:
    if answer.status != 503:
        return False
    document = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert (document["status"], document["code"]) == (503, "unavailable")
    assert document["title"] == KINDS["unavailable"].title
    assert document["request_id"] == answer.headers["X-Request-Id"]
    return True


def test_a_configured_prefix_is_unavailable_until_serve_knows_it_and_other_paths_are_unknown(proxy: Proxy) -> None:
    ask = proxy.start()
    for path in ("/api", "/api/", "/api/gyms?x=1", "/api/live/gyms", "/api/scans", "/default/api/gyms?id=1"):
        assert _is_starting(ask(path)), path
        assert _is_starting(ask(path, "POST")), path
    for path in ("/", "/apiary", "/other/api/gyms", "/defaults", "/API/gyms", "//api/gyms"):
        assert ask(path).status == 404, path
    head = ask("/api/gyms", "HEAD")
    assert (head.status, head.body) == (503, b"")


@pytest.mark.parametrize(
    ("sent", "kept"), [("door-7.a_b", True), ("a" * 65, False), ('"},{"', False), ("a b", False), ("%[src]", False)]
)
def test_the_response_has_the_id_of_the_request_if_it_is_valid(proxy: Proxy, sent: str, kept: bool) -> None:  # noqa: FBT001
    answer = proxy.start()("/api/gyms", headers={"X-Request-Id": sent})
    assert _is_starting(answer)
    assert (answer.headers["X-Request-Id"] == sent) is kept


def test_an_unknown_prefix_below_a_known_one_is_unavailable(proxy: Proxy) -> None:
    with _server(_Ours) as port:
        ask = proxy.start({"/api": ("SERVE_REPLICA-a", port)})
        assert ask("/api/gyms").body == _Ours.said
        assert _is_starting(ask("/api/live/gyms"))
        assert _is_starting(ask("/api/live"))
        assert _is_starting(ask("/api/scans"))
        assert _is_starting(ask("/api/scans/"))
        assert _is_starting(ask("/api/scans/one/annul", "POST"))
        assert ask("/api/livelier").body == _Ours.said
        assert ask("/api/scanners").body == _Ours.said
        assert _is_starting(ask("/default"))


def test_a_shorter_unknown_prefix_does_not_hide_a_longer_known_one(proxy: Proxy) -> None:
    with _server(_Ours) as port:
        ask = proxy.start({"/api/live": ("SERVE_REPLICA-a", port)})
        assert ask("/api/live/gyms").body == _Ours.said
        assert _is_starting(ask("/api/gyms"))


def test_a_route_that_serve_s_proxy_does_not_know_yet_is_unavailable(proxy: Proxy) -> None:
    with _server(_ServesProxy) as unknowing, _server(_Ours) as passing_on:
        ask = proxy.start({"/api": ("SERVE_PROXY_ACTOR-1", unknowing), "/default": ("SERVE_PROXY_ACTOR-1", passing_on)})
        assert _is_starting(ask("/api/gyms"))
        assert ask("/default/api/gyms").body == _Ours.said


def test_a_backend_without_a_server_is_unavailable(proxy: Proxy) -> None:
    with _server(_Ours) as port:
        pass
    ask = proxy.start({"/api": ("SERVE_REPLICA-a", port)})
    assert _is_starting(ask("/api/gyms"))
    assert ask("/other").status == 404


def test_an_application_at_the_root_leaves_haproxy_s_own_paths_alone(proxy: Proxy) -> None:
    ask = proxy.start(prefixes=["/", "/api"])
    assert _is_starting(ask("/anything"))
    assert _is_starting(ask("/api/gyms"))
    assert not ask("/-/routes").body.startswith(b"{")


def test_the_root_redirects_to_the_sign_in_page_if_it_is_served(proxy: Proxy) -> None:
    ask = proxy.start()
    found = ask("/login?client_id=a&scope=email+openid&redirect_uri=http%3A%2F%2Fapp.test%2Fcallback")
    assert found.status == 302
    assert found.headers["Location"] == (
        "/api/identity/login?client_id=a&scope=email+openid&redirect_uri=http%3A%2F%2Fapp.test%2Fcallback"
    )
    assert ask("/signup").headers["Location"] == "/api/identity/signup?"
    for path in ("/login/", "/logins", "//evil.test/login", "/api/login"):
        assert "Location" not in ask(path).headers, path


@pytest.mark.parametrize(("prefixes", "signs_in"), [(["/"], True), (["/default"], True), (["/api"], False)])
def test_the_root_does_not_redirect_if_the_sign_in_page_is_not_served(
    proxy: Proxy,
    prefixes: list[str],
    signs_in: bool,  # noqa: FBT001
) -> None:
    assert "Location" not in proxy.start(prefixes=prefixes, signs_in=signs_in)("/login").headers


def test_a_prefix_with_other_characters_is_refused(tmp_path: Path) -> None:
    ports = PortBlock()
    try:
        with pytest.raises(CommandError, match="route_prefix"):
            haproxy_environment(tmp_path, ports, "127.0.0.1", 8000, ["/a' b"])
    finally:
        ports.close()
