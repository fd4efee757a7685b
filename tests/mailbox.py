"""A mailer that keeps what it is given."""

from domain.identity.ports import Mail, MailUnavailableError


class Mailbox:
    """See `domain.identity.ports.Mailer`."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.is_away = False

    def send(self, mail: Mail) -> None:
        if self.is_away:
            raise MailUnavailableError("mail cannot be sent (out of order)")
        self.mails.append(mail)

    def to(self, email: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.to == email]

    def code_for(self, email: str) -> str:
        """The code in the last mail to an address."""
        code = self.to(email)[-1].code
        assert code is not None
        return code
