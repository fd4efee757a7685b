"""The mail server of the full profile: writes each message into a folder as an `.eml` file.

`python -m cluster.local.mail_server PORT FOLDER` serves until SIGTERM or SIGINT. Nothing leaves this machine.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cluster.local.ports import LOOPBACK
from domain.ids import new_id

_ACCEPTED = "250 Message accepted"


class _FolderHandler:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.original_content or b""
        file = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{new_id()}.eml"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
        return _ACCEPTED


def serve(port: int, folder: Path) -> None:
    """Accept mail until SIGTERM or SIGINT."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    controller = Controller(_FolderHandler(folder), hostname=LOOPBACK, port=port)
    controller.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    controller.stop()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
