"""The service of sign-ups."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection

from deployments.idempotent_calls import IdempotentCall, carry_out_once
from deployments.identity.attempt_limiter import AttemptLimiter
from deployments.identity.backend import IdentityBackend
from domain.identity.attempts import AttemptPurpose
from domain.identity.model import Client, IdentityProblem, IdentityRefusal
from domain.identity.ports import Mail, MailUnavailableError
from domain.ids import new_id
from domain.unit_of_work import Store

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _OpenedSignUp:
    """The stored answer. A bare UUID would name the row of an interrupted attempt, see `carry_out_once`."""

    sign_up_id: UUID


class SignUpService:
    """Opens and confirms sign-ups. The answers do not reveal whether an address has an account."""

    def __init__(self, store: Store, backend: IdentityBackend, limiter: AttemptLimiter) -> None:
        self._store = store
        self._backend = backend
        self._limiter = limiter

    def sign_up(
        self, email: str, password: str, name: str, client: Client, *, call: IdempotentCall | None = None
    ) -> UUID | IdentityRefusal:
        """Open a sign-up and send its code. An address in use gets the same answer, and its owner gets a mail.

        Returns:
            The `sign_up_id` for `confirm` and `resend_code`; also for an address in use.
        """
        if call is None:
            return self._sign_up(email, password, name, client)
        # The provider keeps no row of ours: an interrupted attempt is made again, and sends another code.

        def begin(_connection: Connection) -> UUID | _OpenedSignUp | IdentityRefusal:
            return new_id()

        def carry_out(_row: UUID) -> _OpenedSignUp | IdentityRefusal:
            opened = self._sign_up(email, password, name, client)
            return opened if isinstance(opened, IdentityRefusal) else _OpenedSignUp(opened)

        answer = carry_out_once(self._store, call, _OpenedSignUp, begin, carry_out)
        return answer if isinstance(answer, IdentityRefusal) else answer.sign_up_id

    def confirm(self, email: str, code: str, client: Client, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """Create the account of a sign-up with the code that was sent.

        Args:
            code: as it was typed.
            sign_up_id: of `sign_up`; None: the code is compared with every open sign-up of the address.
        """

        def confirm() -> IdentityRefusal | None:
            with self._backend.equal_time():
                return self._backend.provider.confirm_sign_up(email, code, sign_up_id)

        refusal = self._limiter.attempt(AttemptPurpose.CONFIRM, email, client, confirm, sign_up_id)
        if refusal is None:
            self._send_welcome(email)
        return refusal

    def resend_code(self, email: str, client: Client, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """Send another code of an open sign-up; without an id, of the newest one of the address."""
        refusal = self._limiter.count_mail(email, client)
        if refusal is None:
            with self._backend.equal_time():
                self._backend.provider.resend_code(email, sign_up_id, client.network)
        return refusal

    def _sign_up(self, email: str, password: str, name: str, client: Client) -> UUID | IdentityRefusal:
        # Every address counts: this limits mails to strangers, and reveals nothing.
        refusal = self._limiter.count_mail(email, client)
        if refusal is not None:
            return refusal
        with self._backend.equal_time():
            opened = self._backend.provider.sign_up(email, password, name, client.network)
            if not isinstance(opened, IdentityRefusal) or opened.problem is not IdentityProblem.EMAIL_IN_USE:
                return opened
            self._backend.mailer.send(_address_in_use(email))
            return uuid4()  # random, as the id of a sign-up is

    def _send_welcome(self, email: str) -> None:
        try:
            self._backend.mailer.send(_welcome(email))
        except MailUnavailableError as error:
            # The account exists and its code is used: a refusal would say otherwise.
            _log.warning("welcome_not_sent", error=type(error).__name__)


def _address_in_use(email: str) -> Mail:
    return Mail(
        email,
        "You have an account already",
        "Somebody has tried to sign up at FIT Monitor with this address, which has an account.\n"
        "If it was you: sign in, or set a new password with “forgot password”. If not, there is nothing to do.\n",
    )


def _welcome(email: str) -> Mail:
    return Mail(
        email,
        "Welcome to FIT Monitor",
        "Your account is ready. Sign in, choose a membership, and show your pass at the door.\n",
    )
