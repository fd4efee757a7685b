"""FastAPI dependencies of all applications: the authenticated caller and the client."""

from typing import Annotated

from fastapi import Depends, Request

from deployments.http.auth import Asker, DeviceAsker, UserAsker
from domain.identity.model import Client


async def _asker(request: Request) -> Asker:
    asker: Asker = request.state.asker
    return asker


async def _user(request: Request) -> UserAsker:
    asker: Asker = request.state.asker
    if isinstance(asker, DeviceAsker):
        raise TypeError("the table of rights lets a device call what is for users")
    return asker


async def _client(request: Request) -> Client:
    client: Client = request.state.client
    return client


WhoeverAsks = Annotated[Asker, Depends(_asker)]
TheUser = Annotated[UserAsker, Depends(_user)]
TheClient = Annotated[Client, Depends(_client)]
