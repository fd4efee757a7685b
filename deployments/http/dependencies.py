"""FastAPI dependencies of all applications: the authenticated caller and the client."""

from typing import Annotated

from fastapi import Depends, Request

from deployments.http.auth import DevicePrincipal, Principal, UserPrincipal
from domain.identity.model import Client


async def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


async def _user(request: Request) -> UserPrincipal:
    principal: Principal = request.state.principal
    if isinstance(principal, DevicePrincipal):
        raise TypeError("the table of rights lets a device call what is for users")
    return principal


async def _client(request: Request) -> Client:
    client: Client = request.state.client
    return client


CurrentPrincipal = Annotated[Principal, Depends(_principal)]
CurrentUser = Annotated[UserPrincipal, Depends(_user)]
CurrentClient = Annotated[Client, Depends(_client)]
