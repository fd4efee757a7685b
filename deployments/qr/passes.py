"""A member's pass: the codes of the next minutes, and the image of the current one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain import passes
from integrations.pass_keys import PassSigner
from integrations.rendering import pass_images


class ImageKind(StrEnum):
    """How a pass can be drawn."""

    PNG = "png"
    SVG = "svg"


@dataclass(frozen=True, slots=True)
class IssuedPass:
    """One code and when it is valid."""

    code: str
    issued_at: datetime
    good_from: datetime
    good_until: datetime


class Passes:
    """Issues passes and draws them."""

    def __init__(self, signer: PassSigner) -> None:
        self._signer = signer

    def issue(self, member_id: UUID, now: datetime, count: int = 1) -> list[IssuedPass]:
        """A member's current code and the following ones.

        Raises:
            ValueError: `count` is not within 1 to 40.
        """
        return [
            IssuedPass(
                code=self._signer.sign(member_id, issued_at),
                issued_at=issued_at,
                good_from=passes.good_from(issued_at),
                good_until=passes.good_until(issued_at),
            )
            for issued_at in passes.issue_times(now, count)
        ]

    def image(
        self,
        member_id: UUID,
        now: datetime,
        kind: ImageKind,
        pixels: int | None = None,
        validity: timedelta | None = None,
    ) -> bytes:
        """The picture of the present code.

        Args:
            member_id: whose.
            now: the present.
            kind: PNG or SVG.
            pixels: the width of a PNG.
            validity: of a long-lived pass.

        Raises:
            ValueError: see `PassSigner.sign`.
        """
        [issued_at] = passes.issue_times(now)
        code = self._signer.sign(member_id, issued_at, validity)
        if kind is ImageKind.SVG:
            return pass_images.svg(code)
        return pass_images.png(code, pixels or pass_images.DEFAULT_PIXELS)
