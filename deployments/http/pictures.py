"""Pictures as they are answered: from the store, or by an address that leads there."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Header, Path, Response

from deployments.http.images_by_thread import ImagesByThread
from deployments.http.problems import ApiProblem
from deployments.http.uploads import images_away
from domain.images.model import Shelf, Size, image_key
from domain.images.ports import ImagesUnavailableError

PROBLEMS = ("unknown_image", "images_away")
"""What a call that shows a picture may be answered."""

UNCHANGING = "private, max-age=31536000, immutable"
"""Of an address that has the picture's own name in it."""
ASK_AGAIN = "private, no-cache"

_ADDRESS_LIVES = timedelta(minutes=5)
_NOT_MODIFIED, _FOUND_ELSEWHERE = 304, 307
_BINARY = {"schema": {"type": "string", "format": "binary"}}

Sha256 = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="The picture's name: the SHA-256 of its large size.")
]
NoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=1000, description="The `ETag` that is at hand.")
]


def shown(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What is answered with a picture, as FastAPI's `responses`."""
    return {
        200: {"description": "The picture", "content": dict.fromkeys(media_types or ("image/webp",), _BINARY)},
        _NOT_MODIFIED: {"description": "What is at hand is still right"},
        _FOUND_ELSEWHERE: {"description": "Where it is for the next minutes, if the store may be asked itself"},
    }


class Pictures:
    """Published pictures.

    Args:
        images: where they are.
        presigned: whether that may be asked itself, by an address that it gives out.
    """

    def __init__(self, images: ImagesByThread, *, presigned: bool) -> None:
        self._images = images
        self._presigned = presigned

    async def show(
        self, shelf: Shelf, sha256: str, size: Size, caching: str, if_none_match: str | None = None
    ) -> Response:
        """A picture.

        Raises:
            ApiProblem: see `PROBLEMS`.
        """
        tag = f'"{sha256}-{size}"'
        headers = {"ETag": tag, "Cache-Control": caching}
        if if_none_match and _matches(if_none_match, tag):
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        key = image_key(shelf, sha256, size)
        try:
            if self._presigned and await self._images.exists(key):
                address = await self._images.address(key, _ADDRESS_LIVES)
                if address:
                    elsewhere = {"Location": address, "Cache-Control": "private, no-store"}
                    return Response(status_code=_FOUND_ELSEWHERE, headers=elsewhere)
            found = await self._images.get(key)
        except ImagesUnavailableError as error:
            raise images_away(error) from error
        if found is None:
            raise no_picture()
        return Response(found.data, headers=headers, media_type=found.content_type)


def no_picture() -> ApiProblem:
    """That there is none, or none for whoever asks."""
    return ApiProblem("unknown_image", "There is no such picture.")


def upload_body(names: dict[str, dict[str, Any]], *, raw: bool) -> dict[str, Any]:
    """The body of an upload for the OpenAPI document, as FastAPI's `openapi_extra`.

    Args:
        names: JSON schemas of the texts beside the picture.
        raw: whether the picture may come by itself as well.
    """
    form = {
        "type": "object",
        "required": [name for name, schema in names.items() if "default" not in schema] + ["image"],
        "properties": {**names, "image": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP."}},
    }
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    if raw:
        content |= dict.fromkeys(("image/jpeg", "image/png", "image/webp"), _BINARY)
    return {"requestBody": {"required": True, "content": content}}


def _matches(if_none_match: str, tag: str) -> bool:
    # Weak comparison (RFC 9110 section 13.1.2): `W/` makes no difference.
    given = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in given or tag in given
