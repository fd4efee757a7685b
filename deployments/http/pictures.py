"""GateDirections published pictures: from the image store, or by a redirect to it."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Path, Response

from deployments.http.etags import matches
from deployments.http.problems import ApiProblem
from deployments.http.threaded_image_store import ThreadedImageStore
from deployments.http.uploads import FORM, PICTURES, images_unavailable
from domain.images.model import ImagePrefix, Size, image_key
from domain.images.ports import ImagesUnavailableError

PROBLEMS = ("unknown_image", "images_away")
"""The problems of a call that answers with a picture."""

UNCHANGING = "private, max-age=31536000, immutable"
"""`Cache-Control` of an address that contains the hash of the picture."""
ASK_AGAIN = "private, no-cache"

_REDIRECT_LIFETIME = timedelta(minutes=5)
_NOT_MODIFIED, _FOUND_ELSEWHERE = 304, 307
_BINARY = {"schema": {"type": "string", "format": "binary"}}

Sha256 = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="The name of the picture: the SHA-256 of its large size.")
]

PICTURE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture", "content": {"image/webp": _BINARY}},
    _NOT_MODIFIED: {"description": "The cached picture is current"},
    _FOUND_ELSEWHERE: {"description": "A temporary address of the picture in the image store"},
}
"""The successful responses of a call that answers with a picture, as FastAPI's `responses`."""


class Pictures:
    """The published pictures.

    Args:
        images: the image store.
        presigned: whether browsers are redirected to presigned addresses of the store.
    """

    def __init__(self, images: ThreadedImageStore, *, presigned: bool) -> None:
        self._images = images
        self._presigned = presigned

    async def show(
        self, prefix: ImagePrefix, sha256: str, size: Size, caching: str, if_none_match: str | None = None
    ) -> Response:
        """Answer with a picture.

        Args:
            prefix: the kind of picture.
            sha256: the name of the picture.
            size: the size to show.
            caching: `Cache-Control` of the response.
            if_none_match: the `If-None-Match` header of the request.

        Raises:
            ApiProblem: see `PROBLEMS`.
        """
        tag = f'"{sha256}-{size}"'
        headers = {"ETag": tag, "Cache-Control": caching}
        if if_none_match and matches(if_none_match, tag):
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        key, store = image_key(prefix, sha256, size), self._images.store
        try:
            if self._presigned and await self._images.run(store.exists, key):
                address = await self._images.run(store.address, key, _REDIRECT_LIFETIME)
                if address:
                    elsewhere = {"Location": address, "Cache-Control": "private, no-store"}
                    return Response(status_code=_FOUND_ELSEWHERE, headers=elsewhere)
            found = await self._images.run(store.get, key)
        except ImagesUnavailableError as error:
            raise images_unavailable(error) from error
        if found is None:
            raise no_picture()
        return Response(found.data, headers=headers, media_type=found.content_type)


def no_picture() -> ApiProblem:
    """The problem of a picture that does not exist, or that the caller must not see."""
    return ApiProblem("unknown_image", "Picture not found.")


def upload_body(names: dict[str, dict[str, Any]], *, raw: bool) -> dict[str, Any]:
    """Describe the body of an upload, as FastAPI's `openapi_extra`.

    Args:
        names: JSON schemas of the text parts, by name.
        raw: whether the body may also be only the picture.
    """
    form = {
        "type": "object",
        "required": [name for name, schema in names.items() if "default" not in schema] + ["image"],
        "properties": {**names, "image": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP."}},
    }
    content: dict[str, Any] = {FORM: {"schema": form}}
    if raw:
        content |= dict.fromkeys(sorted(PICTURES), _BINARY)
    return {"requestBody": {"required": True, "content": content}}
