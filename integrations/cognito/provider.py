"""A Cognito user pool as identity provider."""

import hashlib
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from domain.identity.codes import normal_code
from domain.identity.email_addresses import account_name, normal_address
from domain.identity.model import UNKNOWN_CLIENT, Client, IdentityProblem, IdentityRefusal, Role, Tokens
from domain.identity.ports import Account, ProviderUnavailableError
from domain.text import normalized_text
from integrations.cognito.client import (
    IDENTITY_POLICY,
    INVALID,
    NEW_PASSWORD_NEEDED,
    REFUSALS,
    SESSION_OVER,
    UNKNOWN_USER,
    WRONG_CODE,
    WRONG_CREDENTIALS,
    account_from,
    error_code,
    error_message,
    ignore_errors,
    open_client,
    refusal_of,
    translate_errors,
)
from integrations.cognito.directory import CognitoDirectory
from integrations.settings import IdentitySettings
from integrations.time_limit import has_time_for

T = TypeVar("T")

_PAGE_TIMEOUT = httpx.Timeout(IDENTITY_POLICY.read_s, connect=IDENTITY_POLICY.connect_s)
# Errors of the token endpoint (RFC 6749 section 5.2) that mean an invalid code, redirect URI or verifier.
_INVALID_CODE_ERRORS = {"invalid_grant", "invalid_request"}
_WRONG_AUTHORIZATION = IdentityRefusal(
    IdentityProblem.WRONG_CODE, "The code is wrong, was used, or has expired. Sign in again."
)


class _TokenResponse(msgspec.Struct, frozen=True):
    access_token: str
    id_token: str
    refresh_token: str
    expires_in: int


class _TokenError(msgspec.Struct, frozen=True):
    error: str


def _sign_up_id(sub: UUID) -> UUID:
    """The id of a sign-up, derived from the user's id, which is not secret later. It looks like a random id."""
    return UUID(bytes=hashlib.sha256(b"sign-up " + sub.bytes).digest()[:16], version=4)


class CognitoProvider:
    """See `domain.identity.ports.IdentityProvider`. Users sign in by mail address. The client has no secret.

    Args:
        identity: the pool, its client, its hosted page.
        client: replaces the own client.
    """

    def __init__(self, identity: IdentitySettings, client: Any = None) -> None:  # noqa: ANN401 - boto3 has no types
        self._identity = identity
        self._client = client or open_client("cognito-idp", identity.region, identity.endpoint_url)
        self._pool = {"UserPoolId": identity.user_pool_id}
        self._app = {"ClientId": identity.client_id}
        self._directory = CognitoDirectory(identity.user_pool_id, client=self._client)

    def sign_up(
        self,
        email: str,
        password: str,
        name: str,
        network: str = "",  # noqa: ARG002 - Cognito has limits of its own
    ) -> UUID | IdentityRefusal:
        """See `IdentityProvider`. The trigger `assign_default_role` adds the group `User`.

        A pool has one user per address. An unconfirmed one is deleted and created again: its password and name belong
        to whoever signed up first, who may not own the address.
        """
        address = normal_address(email)
        attributes = [{"Name": "email", "Value": address}, {"Name": "name", "Value": normalized_text(name)}]

        def call() -> UUID:
            created = self._client.sign_up(**self._app, Username=address, Password=password, UserAttributes=attributes)
            return _sign_up_id(UUID(created["UserSub"]))

        answer = self._call(call)
        if isinstance(answer, IdentityRefusal) and answer.problem is IdentityProblem.EMAIL_IN_USE:
            former = self._user_of(address)
            if former is not None and not former.confirmed:
                self.delete(former.sub)
                answer = self._call(call)
                if isinstance(answer, IdentityRefusal) and answer.problem is IdentityProblem.EMAIL_IN_USE:
                    return uuid4()  # a concurrent sign-up was faster; this one stored nothing
        return answer

    def confirm_sign_up(self, email: str, code: str, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """See `IdentityProvider`."""
        address, typed = account_name(email), normal_code(code)
        if not typed:
            return WRONG_CODE
        username = address if sign_up_id is None else self._signed_up(address, sign_up_id)
        if username is None:
            return WRONG_CODE
        refusal = self._call(
            lambda: self._discard_result(
                self._client.confirm_sign_up(**self._app, Username=username, ConfirmationCode=typed)
            )
        )
        # Do not reveal whether the account is missing, confirmed, disabled, or received too many codes.
        return None if refusal is None else WRONG_CODE

    def resend_code(
        self,
        email: str,
        sign_up_id: UUID | None = None,
        network: str = "",  # noqa: ARG002 - Cognito has limits of its own
    ) -> None:
        """See `IdentityProvider`. The new code of Cognito replaces the previous one, whoever requested it."""
        address = account_name(email)
        username = address if sign_up_id is None else self._signed_up(address, sign_up_id)
        if username is not None:
            self._request_code(lambda: self._client.resend_confirmation_code(**self._app, Username=username))

    def sign_in(self, email: str, password: str) -> Tokens | IdentityRefusal:
        """See `IdentityProvider`."""
        if not password:  # Cognito answers with an error about a missing parameter
            return WRONG_CREDENTIALS
        return self._initiate("USER_PASSWORD_AUTH", {"USERNAME": account_name(email), "PASSWORD": password}, "")

    def refresh(self, refresh_token: str, client: Client = UNKNOWN_CLIENT) -> Tokens | IdentityRefusal:  # noqa: ARG002 - see there
        """See `IdentityProvider`. The app client must not rotate refresh tokens, or Cognito refuses this."""
        answer = self._initiate("REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": refresh_token}, refresh_token)
        return SESSION_OVER if isinstance(answer, IdentityRefusal) else answer

    def revoke(self, refresh_token: str) -> None:
        """See `IdentityProvider`."""
        no_token = ("NotAuthorizedException", "UnauthorizedException", "UnsupportedTokenTypeException", INVALID)
        ignore_errors(lambda: self._client.revoke_token(**self._app, Token=refresh_token), *no_token)

    def sign_out_everywhere(self, sub: UUID) -> None:
        """See `IdentityProvider`."""
        ignore_errors(lambda: self._client.admin_user_global_sign_out(**self._pool, Username=str(sub)), UNKNOWN_USER)

    def forgot_password(
        self,
        email: str,
        network: str = "",  # noqa: ARG002 - Cognito has limits of its own
    ) -> UUID:
        """See `IdentityProvider`. The new code of Cognito replaces the previous one. The returned id binds nothing."""
        self._request_code(lambda: self._client.forgot_password(**self._app, Username=account_name(email)))
        return uuid4()

    def reset_password(
        self,
        email: str,
        code: str,
        password: str,
        reset_id: UUID | None = None,  # noqa: ARG002 - Cognito knows the last code only
    ) -> IdentityRefusal | None:
        """See `IdentityProvider`. Cognito has one code per account; ids do not separate them."""
        typed = normal_code(code)
        if not typed:
            return WRONG_CODE
        refusal = self._call(
            lambda: self._discard_result(
                self._client.confirm_forgot_password(
                    **self._app, Username=account_name(email), ConfirmationCode=typed, Password=password
                )
            )
        )
        if refusal is None or refusal.problem is IdentityProblem.WEAK_PASSWORD:
            return refusal
        return WRONG_CODE  # do not reveal the state of the account

    def change_password(self, access_token: str, old: str, new: str) -> IdentityRefusal | None:
        """See `IdentityProvider`."""

        def call() -> IdentityRefusal | None:
            try:
                self._client.change_password(AccessToken=access_token, PreviousPassword=old, ProposedPassword=new)
            except ClientError as error:
                # The error name is that of a wrong password. Only the message mentions the token.
                if "Access Token" in error_message(error):
                    return SESSION_OVER
                raise
            return None

        return self._call(call)

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """See `IdentityProvider`."""
        parameters = {
            "response_type": "code",
            "client_id": self._identity.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "scope": "openid email profile aws.cognito.signin.user.admin",
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._hosted_url()}/oauth2/authorize?{urlencode(parameters)}"

    def exchange_code(self, code: str, redirect_uri: str, code_verifier: str | None) -> Tokens | IdentityRefusal:
        """See `IdentityProvider`."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._identity.client_id,
            "code": code,
            "redirect_uri": redirect_uri,
            **({"code_verifier": code_verifier} if code_verifier else {}),
        }
        if not has_time_for(IDENTITY_POLICY.attempt_s):
            raise ProviderUnavailableError("Service unavailable: no time is left to call Cognito's token endpoint")
        try:
            answer = httpx.post(f"{self._hosted_url()}/oauth2/token", data=form, timeout=_PAGE_TIMEOUT)
            if answer.status_code == HTTPStatus.BAD_REQUEST:
                reason = msgspec.json.decode(answer.content, type=_TokenError).error
                if reason in _INVALID_CODE_ERRORS:
                    return _WRONG_AUTHORIZATION
            granted = msgspec.json.decode(answer.raise_for_status().content, type=_TokenResponse)
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderUnavailableError(
                f"Service unavailable: Cognito's token endpoint ({type(error).__name__})"
            ) from error
        return Tokens(granted.access_token, granted.id_token, granted.refresh_token, granted.expires_in)

    def create(self, email: str, name: str, password: str | None) -> Account | IdentityRefusal:
        """See `IdentityProvider`."""
        address = normal_address(email)
        attributes = [
            {"Name": "email", "Value": address},
            {"Name": "email_verified", "Value": "true"},
            {"Name": "name", "Value": normalized_text(name)},
        ]

        def call() -> Account:
            created = self._client.admin_create_user(
                **self._pool, Username=address, UserAttributes=attributes, MessageAction="SUPPRESS"
            )
            account = account_from({**created["User"], "UserStatus": "CONFIRMED"})
            # Without a permanent password the account could not even ask for a code to set one.
            first_password = {"Password": password or f"{secrets.token_urlsafe(24)}aA1!", "Permanent": True}
            try:
                self._client.admin_set_user_password(**self._pool, Username=str(account.sub), **first_password)
            except (BotoCoreError, ClientError):
                self.delete(account.sub)  # otherwise it would occupy the address, and nobody could sign in
                raise
            return account

        account = self._call(call)
        if isinstance(account, IdentityRefusal):
            return account
        self._directory.add_to_group(account.sub, Role.USER)
        return self._directory.account(account.sub) or account

    def account(self, sub: UUID) -> Account | None:
        """See `IdentityProvider`."""
        return self._directory.account(sub)

    def account_of(self, email: str) -> Account | None:
        """See `IdentityProvider`."""
        address = account_name(email).replace("\\", "\\\\").replace('"', '\\"')
        with translate_errors():
            found = self._client.list_users(**self._pool, Filter=f'email = "{address}"', Limit=1)["Users"]
        return self._directory.account(account_from(found[0]).sub) if found else None

    def rename(self, sub: UUID, name: str) -> None:
        """See `IdentityProvider`."""
        attributes = [{"Name": "name", "Value": normalized_text(name)}]
        ignore_errors(
            lambda: self._client.admin_update_user_attributes(
                **self._pool, Username=str(sub), UserAttributes=attributes
            ),
            UNKNOWN_USER,
        )

    def set_enabled(self, sub: UUID, *, enabled: bool) -> None:
        """See `IdentityProvider`."""
        call = self._client.admin_enable_user if enabled else self._client.admin_disable_user
        ignore_errors(lambda: call(**self._pool, Username=str(sub)), UNKNOWN_USER)
        if not enabled:
            self.sign_out_everywhere(sub)

    def delete(self, sub: UUID) -> None:
        """See `IdentityProvider`."""
        ignore_errors(lambda: self._client.admin_delete_user(**self._pool, Username=str(sub)), UNKNOWN_USER)

    def _signed_up(self, address: str, sign_up_id: UUID) -> str | None:
        """The user name that a sign-up created, unless a later sign-up replaced it."""
        user = self._user_of(address)
        return str(user.sub) if user is not None and _sign_up_id(user.sub) == sign_up_id else None

    def _user_of(self, address: str) -> Account | None:
        """The user of an address, without groups. Unlike `ListUsers`, this is consistent with recent writes."""
        try:
            with translate_errors(UNKNOWN_USER):
                return account_from(self._client.admin_get_user(**self._pool, Username=address))
        except ClientError:
            return None

    def _initiate(self, flow: str, parameters: dict[str, str], refresh_token: str) -> Tokens | IdentityRefusal:
        def call() -> Tokens | IdentityRefusal:
            answer = self._client.initiate_auth(**self._app, AuthFlow=flow, AuthParameters=parameters)
            challenge = answer.get("ChallengeName")
            if challenge == "NEW_PASSWORD_REQUIRED":
                return NEW_PASSWORD_NEEDED
            if challenge:
                raise ProviderUnavailableError(
                    f"Service unavailable: Cognito requires an unsupported challenge ({challenge})"
                )
            result = answer["AuthenticationResult"]
            return Tokens(
                result["AccessToken"],
                result["IdToken"],
                result.get("RefreshToken") or refresh_token,
                int(result["ExpiresIn"]),
            )

        return self._call(call)

    def _call(self, call: Callable[[], T]) -> T | IdentityRefusal:
        try:
            with translate_errors(*REFUSALS, INVALID):
                return call()
        except ClientError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise ProviderUnavailableError(f"Service unavailable: Cognito ({error_code(error)})") from error
            return refusal

    def _request_code(self, call: Callable[[], object]) -> None:
        """Request a code without revealing whether the account exists.

        Also hides that it is confirmed already, has no address (`INVALID`), or received too many codes.
        """
        ignore_errors(call, *REFUSALS, INVALID)

    def _hosted_url(self) -> str:
        if not self._identity.hosted_url:
            raise ProviderUnavailableError("Service unavailable: FITMONITOR_IDENTITY__HOSTED_URL is not set")
        return self._identity.hosted_url.rstrip("/")

    @staticmethod
    def _discard_result(_result: object) -> None:
        return None
