"""Whether the public port answers, and what it says."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


def ask(url: str, timeout_s: float = 5.0, most_bytes: int = 65536) -> tuple[int, str]:
    """Ask for a page.

    Args:
        url: of HTTP or HTTPS.
        timeout_s: for each step of the way.
        most_bytes: of the body; what is longer is cut off.

    Returns:
        The HTTP status and the body; status 0 and the reason where nothing answers.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    link = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        link.request("GET", parts.path or "/")
        answer = link.getresponse()
        return answer.status, answer.read(most_bytes).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        link.close()
