"""Receives uploaded pictures: from the connection into a temporary file, then into quarantine."""

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
from deployments.http.problems import ApiProblem, Fault, retryable
from deployments.http.threaded_image_store import ThreadedImageStore
from deployments.http.upload_forms import CLOSE, UploadForm, boundary_of
from domain.ids import new_id
from domain.images.model import quarantine_key
from domain.images.ports import ImagesUnavailableError
from integrations.settings import ImageSettings

FORM = "multipart/form-data"
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp"})
UPLOADS = (("POST", "/gyms/{gym_id}/machines"), ("PUT", "/machines/{machine_id}/image"), ("PUT", "/me/picture"))
"""The calls that take an upload. `Uploads` reads their bodies, nothing reads them before."""
PROBLEMS = ("image_too_large", "image_unreadable", "images_away", "unsupported_media_type", "invalid_request")
"""The problems of a call that takes an upload."""

_WITHIN_S = 25.0  # Ray Serve ends a request after 30
_BUFFER_BYTES = 256 * 1024  # of one upload in memory, before they are written
_TEXT_BYTES = 64 * 1024  # that a form may have besides the picture
_AT_ONCE = 2  # pictures that one gateway has encoded at a time; waiting here is cheap
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """A received upload.

    Args:
        key: of the picture in quarantine.
        texts: the text parts of the form, by name.
        content_hash: SHA-256 of picture and texts.
    """

    key: str
    texts: dict[str, str]
    content_hash: str


class Uploads:
    """Receives uploads into quarantine.

    Args:
        images: the image store.
        settings: the size limit of a picture.
    """

    def __init__(self, images: ThreadedImageStore, settings: ImageSettings) -> None:
        self._images = images
        self._max_bytes = settings.max_bytes
        self.turn_within_s = 8.0
        self.turns = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def quarantined(self, request: Request, *names: str) -> AsyncIterator[Upload]:
        """Receive an upload. Its quarantined picture is deleted at the end of the `with` block.

        Args:
            request: a form with the picture as `image`; without `names` also the picture as the whole body.
            names: names of the text parts.

        Raises:
            ApiProblem: see `PROBLEMS`.
            ClientGoneError: the client disconnected.
        """
        key = quarantine_key(new_id())
        with TemporaryFile() as file:
            texts = await self._receive(request, file, frozenset(names))
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
            raise retryable("busy", "Too many pictures are being uploaded. Nothing was changed.", seconds=5) from None

    async def _receive(self, request: Request, file: BinaryIO, names: frozenset[str]) -> dict[str, str]:
        content_type = request.headers.get("content-type", "")
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != FORM and (names or media_type not in PICTURES):
            supported = FORM if names else f"{FORM}, or only the picture as {', '.join(sorted(PICTURES))}"
            raise ApiProblem("unsupported_media_type", f"Send the body as {supported}.", headers=CLOSE)
        pieces = BodyPieces(request.receive)
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes + _TEXT_BYTES:
            raise self._too_large()
        try:
            async with asyncio.timeout(_WITHIN_S):
                if media_type == FORM:
                    return await self._receive_form(pieces, file, UploadForm(boundary_of(content_type), names))
                await self._receive_picture(pieces, file)
                return {}
        except TimeoutError:
            raise ApiProblem("body_too_slow", "The picture did not arrive in time.", headers=CLOSE) from None

    async def _receive_form(self, pieces: BodyPieces, file: BinaryIO, form: UploadForm) -> dict[str, str]:
        kept = read = 0
        async for piece in pieces:
            read += len(piece)
            form.feed(piece)
            if kept + len(form.picture) > self._max_bytes or read > self._max_bytes + _TEXT_BYTES:
                raise self._too_large()
            if len(form.picture) >= _BUFFER_BYTES:
                kept += len(form.picture)
                await self._write(file, form.picture)
        texts = form.texts()
        if not form.has_picture:
            raise ApiProblem("invalid_request", "The request is not valid.", faults=[Fault("image", "is missing")])
        await self._write(file, form.picture)
        return texts

    async def _receive_picture(self, pieces: BodyPieces, file: BinaryIO) -> None:
        held, read = bytearray(), 0
        async for piece in pieces:
            read += len(piece)
            held += piece
            if read > self._max_bytes:
                raise self._too_large()
            if len(held) >= _BUFFER_BYTES:
                await self._write(file, held)
        await self._write(file, held)

    async def _keep(self, key: str, file: BinaryIO) -> None:
        file.seek(0)
        try:
            await self._images.run(self._images.store.put, key, file, "application/octet-stream")
        except ImagesUnavailableError as error:
            raise images_unavailable(error) from error

    async def _discard(self, key: str) -> None:
        # The periodic sweep deletes what is left behind, also after a crash of the gateway.
        try:
            await self._images.run(self._images.store.delete, key)
        except ImagesUnavailableError as error:
            _log.warning("quarantine_left", key=key, error=str(error))

    async def _write(self, file: BinaryIO, held: bytearray) -> None:
        """Move the held bytes into the file."""
        whole = bytes(held)
        held.clear()
        await self._images.run(file.write, whole)

    def _too_large(self) -> ApiProblem:
        return ApiProblem("image_too_large", f"The picture exceeds {self._max_bytes} bytes.", headers=CLOSE)


def _hash(file: BinaryIO, texts: dict[str, str]) -> str:
    # Not of the body: a repeated request has another boundary between its parts.
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_BUFFER_BYTES):
        digest.update(piece)
    digest.update(json.dumps(texts, sort_keys=True).encode())
    return digest.hexdigest()


def images_unavailable(error: ImagesUnavailableError) -> ApiProblem:
    """The problem of an image store that does not answer."""
    _log.warning("service_unavailable", service="images", error=str(error))
    return retryable("images_away", "The picture store is unavailable. Nothing was changed.", seconds=5)
