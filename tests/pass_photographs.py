"""Bad photographs of a code: what a door's camera makes of a phone that somebody holds up."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

Point = tuple[float, float]


def bad_photograph(
    picture: bytes,
    *,
    rotation: float = 0.0,
    perspective: float = 0.0,
    blur: float = 0.0,
    noise: float = 0.0,
    shadow: float = 0.0,
    contrast: float = 1.0,
    scale: float = 1.0,
    jpeg_quality: int | None = None,
    seed: int = 1,
) -> bytes:
    """A picture spoilt as asked, on a grey background.

    Args:
        picture: any picture that Pillow reads.
        rotation: degrees.
        perspective: how much shorter the far edge is, as a share of its length.
        blur: radius in pixels of the final picture.
        noise: standard deviation, of 255.
        shadow: the share of light that is missing at one side.
        contrast: below 1 black turns grey and white does too.
        scale: the final picture's size against the given one.
        jpeg_quality: 1 to 95; none for a PNG.
        seed: of the noise.
    """
    image = Image.open(BytesIO(picture)).convert("L")
    image = _on_a_table(image)
    if perspective:
        image = _tilted(image, perspective)
    if rotation:
        image = image.rotate(rotation, Image.Resampling.BICUBIC, expand=True, fillcolor=140)
    if scale != 1.0:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    light = np.asarray(image, dtype=np.float64)
    light = 128 + (light - 128) * contrast
    if shadow:
        light *= np.linspace(1 - shadow, 1, light.shape[1])[None, :]
    if noise:
        light += np.random.default_rng(seed).normal(0, noise, light.shape)
    image = Image.fromarray(light.clip(0, 255).astype(np.uint8))
    file = BytesIO()
    if jpeg_quality is None:
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=jpeg_quality)
    return file.getvalue()


def _on_a_table(image: Image.Image) -> Image.Image:
    margin = image.width // 6
    table = Image.new("L", (image.width + 2 * margin, image.height + 2 * margin), 140)
    table.paste(image, (margin, margin))
    return table


def _tilted(image: Image.Image, share: float) -> Image.Image:
    width, height = float(image.width), float(image.height)
    inset = width * share / 2
    seen: list[Point] = [(inset, 0.0), (width - inset, height * share / 3), (width, height), (0.0, height)]
    real: list[Point] = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    return image.transform(
        image.size, Image.Transform.PERSPECTIVE, _homography(seen, real), Image.Resampling.BICUBIC, fillcolor=140
    )


def _homography(seen: list[Point], real: list[Point]) -> list[float]:
    """The eight numbers with which Pillow finds the real point of a seen one."""
    rows, targets = [], []
    for (x, y), (u, v) in zip(seen, real, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        targets += [u, v]
    return [float(number) for number in np.linalg.solve(np.array(rows), np.array(targets))]
