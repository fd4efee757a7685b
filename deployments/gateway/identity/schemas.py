"""What is read and written as JSON about accounts, sessions and users."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from deployments.http.text import ADDRESS, LINE
from deployments.identity.issued import SignedIn
from domain.identity.addresses import LONGEST
from domain.identity.model import Change, Role, Session, User, UserState

# Of the normalised address. A little more than `normal_address` gives, which knows what cannot be seen.
_LETTER = r"[^\s\x00-\x20\x7f-\xad@<>,;:\"\\()\[\]]"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
Email = Annotated[
    str,
    StringConstraints(max_length=LONGEST, pattern=rf"^{_LETTER}{{1,64}}@{_LABEL}(?:\.{_LABEL})*$"),
    ADDRESS,
    Field(
        examples=["mia@example.org"],
        description="Taken in any case, with white space around it and a domain in letters beyond ASCII; kept and "
        "answered in one form. Characters that cannot be seen are refused.",
    ),
]
PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200), LINE]
NewPassword = Annotated[str, Field(max_length=256, description="12 to 128 characters; length counts, not composition.")]
Password = Annotated[str, Field(max_length=256)]
Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(description="As it is typed: spaces, hyphens and full-width digits do not matter.", examples=["123 456"]),
]
SignUpId = Annotated[UUID, Field(description="Of `POST /sign-up`: only the code of that sign-up is accepted.")]
ResetId = Annotated[UUID, Field(description="Of `POST /password/forgot`: only the code of that reset is accepted.")]
RefreshToken = Annotated[str, Field(min_length=1, max_length=8192)]


class NewAccount(RequestBody):
    """Somebody who signs up."""

    email: Email
    password: NewPassword
    name: PersonName


class AddressDocument(RequestBody):
    """An address of mail. What is answered does not tell whether it has an account."""

    email: Email


class SignUpOpened(Document):
    """A sign-up. What is answered does not tell whether the address has an account."""

    email: str
    sign_up_id: UUID = Field(description="For `POST /sign-up/confirm` and `/sign-up/resend`. Keep it to yourself.")


class ResetOpened(Document):
    """A reset of a password. What is answered does not tell whether the address has an account."""

    email: str
    reset_id: UUID = Field(description="For `POST /password/reset`. Keep it to yourself.")


class CodeRequest(RequestBody):
    """Where another code of a sign-up goes. Without `sign_up_id`: of the newest sign-up of the address."""

    email: Email
    sign_up_id: SignUpId | None = None


class Confirmation(RequestBody):
    """The code that was sent to an address."""

    email: Email
    code: Code
    sign_up_id: SignUpId | None = None


class Credentials(RequestBody):
    """What somebody signs in with."""

    email: Email
    password: Password


class Refresh(RequestBody):
    """What a session goes on with."""

    refresh_token: RefreshToken


class SignOut(RequestBody):
    """What is to be good no longer beside the session itself."""

    refresh_token: RefreshToken | None = None


class PasswordReset(RequestBody):
    """A new password, and the code that was sent."""

    email: Email
    code: Code
    password: NewPassword
    reset_id: ResetId | None = None


class PasswordChange(RequestBody):
    """The present password and the next one."""

    old_password: Password
    new_password: NewPassword


class SignedInUser(BaseModel):
    """Who has signed in. `email` is null where the account has none that can be used."""

    id: UUID
    email: str | None
    name: str
    roles: list[Role]


class SessionTokens(BaseModel):
    """What a sign-in gives. `access_token` goes into `Authorization: Bearer`; `expires_in` is its life in seconds."""

    access_token: str
    id_token: str
    refresh_token: str = Field(description="For `POST /sessions/refresh`; each answer there may bring another one.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word, not a secret
    expires_in: int
    session_id: UUID
    user: SignedInUser

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        """The document of a sign-in."""
        user, tokens = signed_in.user, signed_in.tokens
        return cls(
            access_token=tokens.access_token,
            id_token=tokens.id_token,
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
            session_id=signed_in.session_id,
            user=SignedInUser(id=user.id, email=user.email, name=user.name, roles=sorted_roles(user.roles)),
        )


class SessionDocument(Document):
    """One sign-in on one device. `current`: the one that asks."""

    id: UUID
    device: str
    address: str
    created_at: datetime
    last_used_at: datetime = Field(description="To the minute.")
    current: bool

    @classmethod
    def of(cls, session: Session, current_id: UUID) -> Self:
        """The document of a session, asked for by another one or by itself."""
        return cls(
            id=session.id,
            device=session.device,
            address=session.address,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            current=session.id == current_id,
        )


class NewName(RequestBody):
    """What may be changed of oneself."""

    name: PersonName


class UserDocument(Document):
    """A user as staff see them. `roles` are those given; Admin includes Staff, Staff includes User."""

    id: UUID
    email: str | None = Field(description="Null: none that can be used.")
    name: str
    picture_url: str | None
    roles: list[Role]
    state: UserState
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """The document of a user."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            picture_url=user.picture_url,
            roles=sorted_roles(user.roles),
            state=user.state,
            created_at=user.created_at,
        )


class UserChangeDocument(Document):
    """What was done to an account: by whom (null: the provider, or the command line), what, when."""

    id: UUID
    by_id: UUID | None
    what: Change
    detail: str
    at: datetime


def sorted_roles(roles: frozenset[Role]) -> list[Role]:
    """Roles in the order in which they grow."""
    return [role for role in Role if role in roles]
