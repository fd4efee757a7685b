"""Mail: by SMTP, or into a folder."""

import os
import smtplib
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path

import structlog

from domain.identity.ports import Mail, MailDeferredError, Mailer, MailRefusedError, MailUnavailableError
from domain.ids import new_id
from integrations.settings import MailSettings, Settings
from integrations.time_limit import remaining_s

_TIMEOUT_S = 10.0
_MIN_TIMEOUT_S = 0.1  # one attempt is made even if no time is left
_SERVICE_CLOSING, _FIRST_PERMANENT = 421, 500  # RFC 5321, section 4.2
_log = structlog.get_logger(__name__)


class FolderMailer:
    """Writes each mail to a file and logs its path and the code in it.

    Args:
        folder: created with the first mail; readable by its owner only.
        sender: of all mails.
    """

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """See `Mailer`."""
        content = _checked_message(mail, self._sender).as_bytes()
        file = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{new_id()}.eml"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(content)
        except OSError as error:
            raise MailUnavailableError(f"Service unavailable: mail folder ({error.strerror})") from error
        _log.info("mail_written", file=str(file), code=mail.code)


class SmtpMailer:
    """Sends each mail over its own connection, because mails are rare."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    def send(self, mail: Mail) -> None:
        """See `Mailer`."""
        settings = self._settings
        message = _checked_message(mail, settings.sender)
        try:
            server = smtplib.SMTP(
                settings.smtp_host, settings.smtp_port, timeout=max(_MIN_TIMEOUT_S, remaining_s(_TIMEOUT_S))
            )
            try:
                if settings.smtp_starttls:
                    server.starttls(context=ssl.create_default_context())
                if settings.smtp_user:
                    server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
                _send_message(server, message, mail.to)
            finally:
                _close(server)
        except (OSError, smtplib.SMTPException) as error:
            # Without the cause: the text of the server may contain the address.
            raise MailUnavailableError(f"Service unavailable: mail server ({type(error).__name__})") from None


def _close(server: smtplib.SMTP) -> None:
    """Close a connection. Errors are ignored, because the server has already accepted or refused the mail."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _checked_message(mail: Mail, sender: str) -> EmailMessage:
    try:
        message = build_message(mail, sender)
        message.as_bytes()
    except ValueError as error:
        raise MailRefusedError(f"invalid mail ({type(error).__name__})") from None
    return message


def _send_message(server: smtplib.SMTP, message: EmailMessage, to: str) -> None:
    """Send a mail. Distinguishes a refused mail from an unavailable server."""
    try:
        server.send_message(message, to_addrs=[to])
    except smtplib.SMTPRecipientsRefused as refused:
        ((code, _text),) = refused.recipients.values()
        if code >= _FIRST_PERMANENT:
            raise MailRefusedError(f"the mail server refuses the recipient ({code})") from None
        if code == _SERVICE_CLOSING:
            raise
        raise MailDeferredError(f"the mail server defers the recipient ({code})") from None
    except smtplib.SMTPDataError as refused:
        # Some servers, such as Amazon SES, refuse recipients only after they received the whole mail.
        if refused.smtp_code >= _FIRST_PERMANENT:
            raise MailRefusedError(f"the mail server refuses the mail ({refused.smtp_code})") from None
        raise
    except smtplib.SMTPNotSupportedError:
        # The address is not ASCII, and the server does not support SMTPUTF8 (RFC 6531).
        raise MailRefusedError("the mail server does not support addresses outside ASCII") from None


def open_mailer(settings: Settings) -> Mailer:
    """The mailer that the settings choose.

    Raises:
        ValueError: neither a server nor a folder is set.
    """
    if settings.mail.smtp_host:
        return SmtpMailer(settings.mail)
    if settings.mail.folder is None:
        raise ValueError("FITMONITOR_MAIL__SMTP_HOST is not set")
    return FolderMailer(settings.mail.folder, settings.mail.sender)


def build_message(mail: Mail, sender: str) -> EmailMessage:
    """The mail as a message (RFC 5322) to exactly one address.

    Raises:
        ValueError: the address or the subject contains a line break.
    """
    local_part, _, domain = mail.to.rpartition("@")
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = Address(username=local_part, domain=domain)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain="fitmonitor.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message
