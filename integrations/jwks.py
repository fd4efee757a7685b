"""The identity provider's public keys (JWKS, RFC 7517), cached.

Only a request with an unknown key id waits for a download. If the endpoint fails, known keys stay valid.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWTError
from jwt.algorithms import RSAAlgorithm

_RETRY_AFTER_S = 30.0  # for an unknown key id
_REFRESH_AFTER_S = 3600.0  # then refreshed in the background, because a key may have been revoked
_FILE_CHECK_INTERVAL_S = 1.0  # check interval of a file
_FETCH_TIMEOUT_S = 3.0
_MIN_KEY_BITS = 2048  # RFC 7518 section 3.3
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

log = structlog.get_logger()


class _Document(msgspec.Struct):
    keys: list[Any]


class JwksError(ValueError):
    """The document is not a JWKS, or contains no usable key."""


class Jwks:
    """The keys at one URL.

    Args:
        url: `https://…`, `file:///…`, or `http://…` on a loopback address.
        monotonic: monotonic clock, in seconds.

    Raises:
        ValueError: the URL scheme is not allowed.
    """

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not (parts.scheme in {"https", "file"} or local):
            raise ValueError("The JWKS URL must start with https:// or file:///")
        self.generation = 0
        """Incremented when the keys change, to invalidate caches."""
        self._url = url
        self._file = Path(url2pathname(parts.path)) if parts.scheme == "file" else None
        self._file_version: tuple[int, int] | None = None
        self._monotonic = monotonic
        self._keys: dict[str, RSAPublicKey] = {}
        self._last_try = float("-inf")
        self._last_success = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> RSAPublicKey | None:
        """The key with that id. An unknown id triggers a download, at most once in 30 s."""
        self.refresh()
        key = self._keys.get(key_id)
        if key is not None:
            return key
        if self._file is not None:
            self._read_file()
        else:
            await self._fetch_unknown()
        return self._keys.get(key_id)

    @property
    def reachable(self) -> bool:
        """Whether the last attempt to read the keys succeeded."""
        return self._last_success >= self._last_try

    def refresh(self) -> None:
        """Refresh old keys in the background. Requires a running event loop."""
        now = self._monotonic()
        if self._file is not None:
            if now - self._last_try >= _FILE_CHECK_INTERVAL_S:
                self._read_file()
        elif self._keys and now - self._last_success >= _REFRESH_AFTER_S and now - self._last_try >= _RETRY_AFTER_S:
            self._start_fetch()

    async def _fetch_unknown(self) -> None:
        if self._fetching is None and self._monotonic() - self._last_try >= _RETRY_AFTER_S:
            self._start_fetch()
        if self._fetching is not None:
            # Shielded: all waiting requests share the download, and the first may be cancelled.
            await asyncio.shield(self._fetching)

    def _start_fetch(self) -> None:
        if self._fetching is None:
            self._last_try = self._monotonic()
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            self._replace_keys(await asyncio.to_thread(_download, self._url))
        except (httpx.HTTPError, ValueError) as error:
            log.warning("jwks_fetch_failed", error=str(error))
        finally:
            self._fetching = None

    def _read_file(self) -> None:
        if self._file is None:
            return
        self._last_try = self._monotonic()
        try:
            status = self._file.stat()
            # The file is replaced, not rewritten: the inode distinguishes two versions with the same time.
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._file_version:
                self._replace_keys(self._file.read_bytes())
                self._file_version = version
            self._last_success = self._last_try
        except (OSError, ValueError) as error:
            log.warning("jwks_unreadable", error=str(error))

    def _replace_keys(self, document: bytes) -> None:
        keys = parse_jwks(document)
        if not keys:
            raise JwksError("The JWKS contains no RSA key for RS256")
        self._keys = keys
        self.generation += 1
        self._last_success = self._monotonic()


def _download(url: str) -> bytes:
    # In a thread: loading the certificate store alone takes 20 ms.
    answer = httpx.get(url, timeout=_FETCH_TIMEOUT_S)
    return answer.raise_for_status().content


def parse_jwks(document: bytes) -> dict[str, RSAPublicKey]:
    """Parse the keys of a JWKS that can verify RS256; ignore all others.

    Raises:
        JwksError: the document is not a JWKS.
    """
    try:
        entries = msgspec.json.decode(document, type=_Document).keys
    except ValueError as error:
        raise JwksError("A JWKS must be an object with a list of keys") from error
    keys: dict[str, RSAPublicKey] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _verifies_rs256(entry):
            continue
        try:
            key = RSAAlgorithm.from_jwk(entry)
        except (PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= _MIN_KEY_BITS:
            keys[entry["kid"]] = key
    return keys


def _verifies_rs256(entry: dict[str, Any]) -> bool:
    return (
        isinstance(entry.get("kid"), str)
        and entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
    )
