"""Whether the public port answers, and what it says."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def ask(url: str, timeout_s: float = 5.0) -> tuple[int, str]:
    """Ask for a page.

    Returns:
        The HTTP status and the body; status 0 and the reason where nothing answers.
    """
    parts = urlsplit(url)
    link = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        link.request("GET", parts.path)
        answer = link.getresponse()
        return answer.status, answer.read(65536).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        link.close()
