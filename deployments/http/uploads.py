"""Pictures on their way in: from the connection into a file, from there into quarantine; never whole in memory."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO

import structlog
from fastapi import Request

from deployments.http.body_reading import BodyPieces
from deployments.http.images_by_thread import ImagesByThread
from deployments.http.problems import ApiProblem, Fault, later
from deployments.http.upload_forms import UploadForm, boundary_of
from domain.ids import new_id
from domain.images.model import quarantine_key
from domain.images.ports import ImagesUnavailableError
from integrations.settings import ImageSettings

FORM = "multipart/form-data"
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp"})
UPLOADS = (("POST", "/gyms/{gym_id}/machines"), ("PUT", "/machines/{machine_id}/image"), ("PUT", "/me/picture"))
"""The calls that take an upload; their bodies are read here and not before."""
PROBLEMS = ("image_too_large", "image_unreadable", "images_away", "unsupported_media_type", "invalid_request")
"""What a call that takes an upload may be answered."""

_WITHIN_S = 25.0  # Serve's own server gives a request 30
_HELD = 256 * 1024  # bytes of one upload in memory; then they are written
_TEXTS = 64 * 1024  # what a form may have beside the picture
_AT_ONCE = 2  # pictures that one gateway lets be made anew; the others wait here, where waiting costs nothing
_CLOSE = {"Connection": "close"}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """What was uploaded: the picture's key in quarantine, the texts beside it, and SHA-256 of both."""

    key: str
    texts: dict[str, str]
    content_hash: str


class Uploads:
    """Brings uploads into quarantine.

    Args:
        images: where they are kept.
        settings: how large they may be.
    """

    def __init__(self, images: ImagesByThread, settings: ImageSettings) -> None:
        self._images = images
        self._max_bytes = settings.max_bytes
        self.turn_within_s = 8.0
        self.turns = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def quarantined(self, request: Request, *names: str) -> AsyncIterator[Upload]:
        """An upload, in quarantine for the length of a `with`, whatever becomes of it.

        Args:
            request: a form with the picture as `image`; or, where no texts are wanted, the picture itself.
            names: the texts beside the picture.

        Raises:
            ApiProblem: see `PROBLEMS`.
            ClientGoneError: nobody is there any more.
        """
        key = quarantine_key(new_id())
        with TemporaryFile() as file:
            texts = await self._received(request, file, frozenset(names))
            content_hash = await asyncio.to_thread(_hash, file, texts)
            try:
                await self._keep(key, file)
            except BaseException:
                await self._discard(key)
                raise
        try:
            await self._turn()
            try:
                yield Upload(key, texts, content_hash)
            finally:
                self.turns.release()
        finally:
            await self._discard(key)

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self.turn_within_s):
                await self.turns.acquire()
        except TimeoutError:
            raise later("busy", "Many pictures come at once. Nothing was changed.", seconds=5) from None

    async def _received(self, request: Request, file: BinaryIO, names: frozenset[str]) -> dict[str, str]:
        content_type = request.headers.get("content-type", "")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != FORM and (names or media_type not in PICTURES):
            wanted = FORM if names else f"{FORM}, or the picture itself as {', '.join(sorted(PICTURES))}"
            raise ApiProblem("unsupported_media_type", f"Send the body as {wanted}.", headers=_CLOSE)
        pieces = BodyPieces(request.receive)
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes + _TEXTS:
            raise self._too_large()
        try:
            async with asyncio.timeout(_WITHIN_S):
                if media_type == FORM:
                    form = UploadForm(boundary_of(content_type), names)
                    return await self._form(pieces, file, form)
                await self._raw(pieces, file)
                return {}
        except TimeoutError:
            raise ApiProblem("body_too_slow", "The picture did not arrive in time.", headers=_CLOSE) from None

    async def _form(self, pieces: BodyPieces, file: BinaryIO, form: UploadForm) -> dict[str, str]:
        kept = read = 0
        async for piece in pieces:
            read += len(piece)
            form.feed(piece)
            if kept + len(form.picture) > self._max_bytes or read > self._max_bytes + _TEXTS:
                raise self._too_large()
            if len(form.picture) >= _HELD:
                kept += len(form.picture)
                await self._write(file, form.picture)
        texts = form.texts()
        if not form.has_picture:
            raise ApiProblem("invalid_request", "The request does not fit.", faults=[Fault("image", "is missing")])
        await self._write(file, form.picture)
        return texts

    async def _raw(self, pieces: BodyPieces, file: BinaryIO) -> None:
        held, read = bytearray(), 0
        async for piece in pieces:
            read += len(piece)
            held += piece
            if read > self._max_bytes:
                raise self._too_large()
            if len(held) >= _HELD:
                await self._write(file, held)
        await self._write(file, held)

    async def _keep(self, key: str, file: BinaryIO) -> None:
        file.seek(0)
        try:
            await self._images.put(key, file, "application/octet-stream")
        except ImagesUnavailableError as error:
            raise images_away(error) from error

    async def _discard(self, key: str) -> None:
        # What is left behind, also by a gateway that was killed, goes with the next sweep.
        try:
            await self._images.delete(key)
        except ImagesUnavailableError as error:
            _log.warning("quarantine_left", key=key, error=str(error))

    async def _write(self, file: BinaryIO, held: bytearray) -> None:
        """Write what is held, and hold nothing more."""
        whole = bytes(held)
        held.clear()
        await self._images.write(file, whole)

    def _too_large(self) -> ApiProblem:
        return ApiProblem("image_too_large", f"A picture has {self._max_bytes} bytes at most.", headers=_CLOSE)


def _hash(file: BinaryIO, texts: dict[str, str]) -> str:
    # Of what was meant: another attempt has another boundary between the parts.
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_HELD):
        digest.update(piece)
    digest.update(json.dumps(texts, sort_keys=True).encode())
    return digest.hexdigest()


def images_away(error: ImagesUnavailableError) -> ApiProblem:
    """That pictures can be neither kept nor shown for now."""
    _log.warning("part_away", part="images", error=str(error))
    return later("images_away", "Pictures can be neither kept nor shown for now. Nothing was changed.", seconds=5)
