"""QR codes as PNG, SVG and terminal text. The same text gives the same bytes."""

from io import BytesIO

QUIET_ZONE = 4  # modules of white around the code (ISO/IEC 18004 section 9.1)
DEFAULT_PIXELS = 650  # a pass with its quiet zone is 65 modules wide: 10 pixels each

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}

Modules = list[list[bool]]


def modules(text: str) -> Modules:
    """Rows of a QR code at level M with its quiet zone; true is dark."""
    from qrcode.constants import ERROR_CORRECT_M  # noqa: PLC0415 - it loads Pillow, see `png`
    from qrcode.main import QRCode  # noqa: PLC0415 - as above

    code = QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    # One segment of bytes: a separate segment for digits would not make a token shorter.
    code.add_data(text.encode(), optimize=0)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def png(text: str, pixels: int = DEFAULT_PIXELS) -> bytes:
    """A square black and white picture.

    Args:
        text: content of the code.
        pixels: width of the picture. Modules take as many whole pixels as fit; white fills the rest.

    Raises:
        ValueError: the picture is too small for one pixel per module.
    """
    from PIL import Image  # noqa: PLC0415 - replicas that handle no pictures shall not load Pillow

    rows = modules(text)
    scale = pixels // len(rows)
    if scale < 1:
        raise ValueError(f"this code needs at least {len(rows)} pixels")
    code = Image.frombytes("L", (len(rows), len(rows)), bytes(0 if dark else 255 for row in rows for dark in row))
    code = code.resize((len(rows) * scale, len(rows) * scale), Image.Resampling.NEAREST)
    picture = Image.new("L", (pixels, pixels), 255)
    picture.paste(code, ((pixels - code.width) // 2, (pixels - code.height) // 2))
    file = BytesIO()
    picture.convert("1", dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def svg(text: str) -> bytes:
    """A picture of one path that scales to its container."""
    rows = modules(text)
    path = "".join(
        f"M{start} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for start, length in _dark_runs(row)
    )
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/><path d="{path}"/></svg>\n'
    ).encode()


def half_blocks(text: str) -> str:
    """Lines for a terminal, two rows of modules each, for black on white."""
    rows = modules(text)
    rows += [[False] * len(rows)] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(_HALVES[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs)


def _dark_runs(row: list[bool]) -> list[tuple[int, int]]:
    """Start and length of each run of dark modules."""
    edges = [x for x in range(len(row) + 1) if (row[x] if x < len(row) else False) != (row[x - 1] if x else False)]
    return [(start, end - start) for start, end in zip(edges[::2], edges[1::2], strict=True)]
