"""Request and response bodies of accounts, sessions and users."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document
from deployments.http.text import ADDRESS, LINE
from deployments.identity.signed_in import SignedIn
from domain.identity.email_addresses import LONGEST
from domain.identity.model import Change, Role, Session, User, UserState

# The pattern of a normalised address. `normal_address` is a little stricter: it also refuses invisible characters.
_LETTER = r"[^\s\x00-\x20\x7f-\xad@<>,;:\"\\()\[\]]"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
Email = Annotated[
    str,
    StringConstraints(max_length=LONGEST, pattern=rf"^{_LETTER}{{1,64}}@{_LABEL}(?:\.{_LABEL})*$"),
    ADDRESS,
    Field(
        examples=["mia@example.org"],
        description="Accepted in any case, with surrounding white space and with a non-ASCII domain; stored and "
        "returned in normalised form. Invisible characters are refused.",
    ),
]
PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200), LINE]
NewPassword = Annotated[str, Field(max_length=256, description="12 to 128 characters of any kind.")]
Password = Annotated[str, Field(max_length=256)]
Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(description="The code as typed; spaces, hyphens and full-width digits are accepted.", examples=["123 456"]),
]
SignUpId = Annotated[UUID, Field(description="From `POST /sign-up`: only the code of that sign-up is accepted.")]
ResetId = Annotated[UUID, Field(description="From `POST /password/forgot`: only the code of that reset is accepted.")]
RefreshToken = Annotated[str, Field(min_length=1, max_length=8192)]


class NewAccount(RequestBody):
    """An account to create."""

    email: Email
    password: NewPassword
    name: PersonName


class AddressDocument(RequestBody):
    """An e-mail address. The response does not reveal whether it has an account."""

    email: Email


class SignUpOpened(Document):
    """A sign-up. It does not reveal whether the address has an account."""

    email: str
    sign_up_id: UUID = Field(description="For `POST /sign-up/confirm` and `/sign-up/resend`. Keep it secret.")


class ResetOpened(Document):
    """A password reset. It does not reveal whether the address has an account."""

    email: str
    reset_id: UUID = Field(description="For `POST /password/reset`. Keep it secret.")


class CodeRequest(RequestBody):
    """A request for a new code. Without `sign_up_id`: for the newest sign-up of the address."""

    email: Email
    sign_up_id: SignUpId | None = None


class Confirmation(RequestBody):
    """The code of a sign-up."""

    email: Email
    code: Code
    sign_up_id: SignUpId | None = None


class Credentials(RequestBody):
    """The credentials of a sign-in."""

    email: Email
    password: Password


class Refresh(RequestBody):
    """The refresh token of a session."""

    refresh_token: RefreshToken


class SignOut(RequestBody):
    """A refresh token to revoke together with the session."""

    refresh_token: RefreshToken | None = None


class PasswordReset(RequestBody):
    """A new password, with the code of the reset."""

    email: Email
    code: Code
    password: NewPassword
    reset_id: ResetId | None = None


class PasswordChange(RequestBody):
    """The current password and the new one."""

    old_password: Password
    new_password: NewPassword


def sorted_roles(roles: Iterable[Role]) -> list[Role]:
    """Sort roles from the least to the most rights."""
    return sorted(roles, key=list(Role).index)


SortedRoles = Annotated[list[Role], BeforeValidator(sorted_roles)]


class SignedInUser(Document):
    """The user who signed in. `email` is null if the account has no usable address."""

    id: UUID
    email: str | None
    name: str
    roles: SortedRoles


class SessionTokens(BaseModel):
    """The tokens of a session. Send `access_token` as `Authorization: Bearer`; `expires_in` is in seconds."""

    access_token: str
    id_token: str
    refresh_token: str = Field(description="For `POST /sessions/refresh`, whose answer can have another one.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word, not a secret
    expires_in: int
    session_id: UUID
    user: SignedInUser

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        """Convert a sign-in."""
        tokens = signed_in.tokens
        return cls(
            access_token=tokens.access_token,
            id_token=tokens.id_token,
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
            session_id=signed_in.session_id,
            user=SignedInUser.model_validate(signed_in.user),
        )


class SessionDocument(Document):
    """A session: one sign-in on one device. `current`: the session of this request."""

    id: UUID
    device: str
    address: str
    created_at: datetime
    last_used_at: datetime = Field(description="To the minute.")
    current: bool

    @classmethod
    def of(cls, session: Session, current_id: UUID) -> Self:
        """Convert a session, for a request of the session `current_id`."""
        return cls.copy_of(session, current=session.id == current_id)


class NewName(RequestBody):
    """The new name of a user."""

    name: PersonName


class MeDocument(Document):
    """The caller's own account. `roles` are those of the token, with included roles."""

    id: UUID
    email: str | None = Field(description="Null: no usable address.")
    name: str
    picture_url: str | None
    roles: SortedRoles
    created_at: datetime

    @classmethod
    def of(cls, user: User, roles: frozenset[Role]) -> Self:
        """Convert a user, with the roles of the token."""
        return cls.copy_of(user, roles=roles)


class UserDocument(Document):
    """A user. `roles` are the roles given to the user; Admin includes Staff, Staff includes User."""

    id: UUID
    email: str | None = Field(description="Null: no usable address.")
    name: str
    picture_url: str | None
    roles: SortedRoles
    state: UserState
    created_at: datetime


class PictureDocument(BaseModel):
    """The address of a member's picture."""

    picture_url: str


class UserChangeDocument(Document):
    """A change of an account. `by_id` is null for the identity provider and the command line."""

    id: UUID
    by_id: UUID | None
    what: Change
    detail: str
    at: datetime
