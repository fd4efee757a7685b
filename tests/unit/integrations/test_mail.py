import email
import smtplib
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr
from structlog.testing import capture_logs

from domain.identity.ports import Mail, MailDeferredError, MailRefusedError, MailUnavailableError
from integrations.mail import FolderMailer, SmtpMailer, build_message, open_mailer
from integrations.settings import MailSettings, Settings

LOOPBACK = "127.0.0.1"
SENDER = "FIT Monitor <no-reply@fitmonitor.localhost>"
MAIL = Mail("ana@example.com", "Your code", "Your code is 042137 — good for a day.\n", "042137")


class Post:
    """A mail server's hands: keeps what comes, or refuses it."""

    def __init__(
        self,
        answer: str = "250 Message taken",
        sender: str = "250 OK",
        recipient: str = "250 OK",
        farewell: str = "221 Bye",
    ) -> None:
        self.answer = answer
        self.farewell = farewell
        self.sender = sender
        self.recipient = recipient
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.logins: list[str] = []

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - as above
        return self.farewell

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            message = email.message_from_bytes(envelope.original_content or b"", EmailMessage, policy=policy.SMTP)
            self.taken.append((envelope.rcpt_tos, message))
            self.logins += [session.auth_data] if session.auth_data else []
        return self.answer


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def serving(post: Post, how: Mapping[str, Any] = {}) -> Iterator[int]:
    controller = Controller(post, hostname=LOOPBACK, port=free_port(), **how)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def plain(port: int) -> MailSettings:
    return MailSettings(sender=SENDER, smtp_host=LOOPBACK, smtp_port=port, smtp_starttls=False)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "post")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    paths = folder / "post.pem", folder / "post.key"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def secured(certificate_file: Path, key_file: Path) -> dict[str, Any]:
    """A server that wants TLS, then one name with one password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)

    def known(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
        right = data == LoginPassword(b"fitmonitor", b"letters and digits 7")
        return AuthResult(success=right, handled=right, auth_data="fitmonitor")

    return {"tls_context": context, "require_starttls": True, "authenticator": known, "auth_required": True}


def with_tls(port: int, password: str) -> MailSettings:
    return MailSettings(
        sender=SENDER,
        smtp_host=LOOPBACK,
        smtp_port=port,
        smtp_user="fitmonitor",
        smtp_password=SecretStr(password),
    )


def test_mail_arrives_at_the_server_as_it_was_written() -> None:
    post = Post()
    with serving(post) as port:
        SmtpMailer(plain(port)).send(MAIL)
    [(recipients, message)] = post.taken
    assert recipients == [MAIL.to]
    assert (message["To"], message["From"], message["Subject"]) == (MAIL.to, SENDER, MAIL.subject)
    assert message["Auto-Submitted"] == "auto-generated"
    assert {"Date", "Message-ID"} <= set(message.keys())
    assert message.get_content().replace("\r\n", "\n") == MAIL.text


def test_where_it_is_wanted_mail_goes_over_tls_with_name_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_file, key_file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
    post = Post()
    with serving(post, secured(certificate_file, key_file)) as port:
        SmtpMailer(with_tls(port, "letters and digits 7")).send(MAIL)
        assert post.logins == ["fitmonitor"]
        with pytest.raises(MailUnavailableError, match="SMTPAuthenticationError"):
            SmtpMailer(with_tls(port, "another")).send(MAIL)
    assert len(post.taken) == 1


def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_password_nor_mail(tmp_path: Path) -> None:
    post = Post()
    with serving(post, secured(*certificate(tmp_path))) as port, pytest.raises(MailUnavailableError, match="SSLCert"):
        SmtpMailer(with_tls(port, "letters and digits 7")).send(MAIL)
    assert post.taken == []


def test_a_server_without_tls_gets_nothing_where_tls_is_wanted() -> None:
    post = Post()
    with serving(post) as port, pytest.raises(MailUnavailableError, match="SMTPNotSupportedError"):
        SmtpMailer(with_tls(port, "letters and digits 7")).send(MAIL)
    assert post.taken == []


def test_an_unavailable_server_is_reported_without_the_address() -> None:
    with pytest.raises(MailUnavailableError, match="ConnectionRefusedError") as raised:
        SmtpMailer(plain(free_port())).send(MAIL)
    assert MAIL.to not in str(raised.value)


SES_REFUSES = "554 Message rejected: Email address is not verified."
SES_IS_BUSY = "454 Throttling failure: Maximum sending rate exceeded."


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ({"recipient": "550 5.1.1 ana@example.com lives here no longer"}, MailRefusedError, "550"),
        ({"recipient": "553 5.1.3 ana@example.com is no address"}, MailRefusedError, "553"),
        ({"answer": "550 ana@example.com lives here no longer"}, MailRefusedError, "550"),
        ({"answer": SES_REFUSES}, MailRefusedError, "554"),
        ({"recipient": "450 4.2.0 ana@example.com is greylisted"}, MailDeferredError, "450"),
        ({"recipient": "452 4.2.2 the mailbox of ana@example.com is full"}, MailDeferredError, "452"),
        ({"recipient": "421 ana@example.com or not, we close"}, MailUnavailableError, "SMTPRecipientsRefused"),
        ({"answer": SES_IS_BUSY}, MailUnavailableError, "SMTPDataError"),
        ({"sender": "501 Invalid MAIL FROM address provided"}, MailUnavailableError, "SMTPSenderRefused"),
        ({"sender": "451 not now"}, MailUnavailableError, "SMTPSenderRefused"),
    ],
)
def test_a_refusal_of_one_mail_differs_from_an_unavailable_server_and_does_not_quote_it(
    answers: dict[str, str], kind: type[MailUnavailableError], words: str
) -> None:
    with serving(Post(**answers)) as port, pytest.raises(MailUnavailableError, match=words) as raised:
        SmtpMailer(plain(port)).send(MAIL)
    assert type(raised.value) is kind
    assert MAIL.to not in str(raised.value)


@pytest.mark.parametrize("to", ["ana@example.com\nBcc: eve@example.org", "an\ud800a@example.com"])
def test_a_mail_that_cannot_be_written_is_refused_for_good(to: str, tmp_path: Path) -> None:
    mail = Mail(to, "Your code", "", None)
    with serving(Post()) as port:
        for mailer in (SmtpMailer(plain(port)), FolderMailer(tmp_path, SENDER)):
            with pytest.raises(MailRefusedError):
                mailer.send(mail)


def test_an_address_beyond_ascii_is_refused_for_good_where_the_server_takes_none() -> None:
    with serving(Post(), {"enable_SMTPUTF8": False}) as port, pytest.raises(MailRefusedError):
        SmtpMailer(plain(port)).send(Mail("änne@example.com", "Your code", "", None))


@pytest.mark.parametrize("to", ["ana@example.com, eve@example.org", '"ana" <eve@example.org>, ana@example.com'])
def test_an_address_is_one_recipient_whatever_it_holds(to: str) -> None:
    message = build_message(Mail(to, "Your code", "", None), SENDER)
    read = email.message_from_bytes(message.as_bytes(), EmailMessage, policy=policy.SMTP)
    assert len(read["To"].addresses) == 1


@pytest.mark.parametrize(
    "mail",
    [
        Mail("ana@example.com\r\nBcc: eve@example.org", "Your code", ""),
        Mail("ana\r\nBcc: eve@example.org\r\n@example.com", "Your code", ""),
        Mail("ana@example.com", "Your code\r\nBcc: eve@example.org", ""),
        Mail("ana@example.com", "Your code\nBcc: eve@example.org", ""),
    ],
)
def test_no_header_can_be_brought_in_by_a_line_break(mail: Mail) -> None:
    with pytest.raises(ValueError, match=r".+"):
        build_message(mail, SENDER)


@pytest.mark.parametrize("to", ["josé@example.com", "a..b@example.com", "o'neil+gym@example.com"])
def test_an_unusual_address_can_be_written_to(to: str, tmp_path: Path) -> None:
    FolderMailer(tmp_path, SENDER).send(Mail(to, "Grüße", "Hallo, José\n"))
    [file] = tmp_path.iterdir()
    read = email.message_from_bytes(file.read_bytes(), EmailMessage, policy=policy.SMTP)
    assert read["Subject"] == "Grüße"
    assert read.get_content().strip() == "Hallo, José"


def test_a_folder_gets_one_file_a_mail_which_its_owner_alone_reads(tmp_path: Path) -> None:
    folder = tmp_path / "to" / "mail"
    mailer = FolderMailer(folder, SENDER)
    mailer.send(MAIL)
    mailer.send(MAIL)
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".eml", ".eml"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    read = email.message_from_bytes(files[0].read_bytes(), EmailMessage, policy=policy.SMTP)
    assert (read["To"], read.get_content().replace("\r\n", "\n")) == (MAIL.to, MAIL.text)


def test_the_log_says_file_and_code_and_nothing_of_the_person(tmp_path: Path) -> None:
    with capture_logs() as logs:
        FolderMailer(tmp_path, SENDER).send(MAIL)
    [file] = tmp_path.iterdir()
    assert logs == [{"event": "mail_written", "log_level": "info", "file": str(file), "code": "042137"}]


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file", encoding="utf-8")
    with pytest.raises(MailUnavailableError, match="mail folder"):
        FolderMailer(tmp_path / "mail", SENDER).send(MAIL)


def test_settings_choose_the_server_before_the_folder(tmp_path: Path) -> None:
    assert isinstance(open_mailer(Settings(data_dir=tmp_path)), FolderMailer)
    assert isinstance(open_mailer(Settings(data_dir=tmp_path, mail=plain(smtplib.SMTP_PORT))), SmtpMailer)
    settings = Settings(data_dir=tmp_path)
    settings.mail.folder = None
    with pytest.raises(ValueError, match="FITMONITOR_MAIL__SMTP_HOST"):
        open_mailer(settings)


def test_a_mail_that_was_taken_is_sent_whatever_the_server_says_at_the_end() -> None:
    post = Post(farewell="421 4.4.2 closing")
    with serving(post) as port:
        SmtpMailer(plain(port)).send(MAIL)
    assert len(post.taken) == 1


def test_a_recipient_that_was_refused_stays_so_whatever_the_server_says_at_the_end() -> None:
    post = Post(recipient="550 5.1.1 no such mailbox", farewell="421 4.7.0 too many errors")
    with serving(post) as port, pytest.raises(MailRefusedError, match="550"):
        SmtpMailer(plain(port)).send(MAIL)
