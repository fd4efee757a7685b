"""Asks an HTTP server for one page, with the standard library: the supervisor stays small."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


def probe(url: str, timeout_s: float = 5.0, most_bytes: int = 65536) -> tuple[int, str]:
    """Send a GET request.

    Args:
        url: HTTP or HTTPS.
        timeout_s: of the connection, and of each read.
        most_bytes: maximum length of the body; the rest is cut off.

    Returns:
        The HTTP status and the body; 0 and the reason if there is no response.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read(most_bytes).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()
