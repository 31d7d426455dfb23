"""The user directory as auth serves it: cards from the repository, over gRPC and on the management port."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount

from taskservice.auth.repository import UserRepository
from taskservice.directory import server
from taskservice.directory.cards import UserCard
from taskservice.kit import grpc
from taskservice.kit.app import Runtime, create_shell
from taskservice.kit.errors import Unavailable
from taskservice.kit.service_token import ServiceToken
from taskservice.kit.settings import AuthSettings


def look_up(users: UserRepository) -> server.LookUp:
    """Cards of the accounts that exist. Raises Unavailable."""

    async def find(ids: Sequence[str]) -> Sequence[UserCard]:
        return [
            UserCard(id=user.id, display_name=user.display_name, email=user.email) for user in await users.by_ids(ids)
        ]

    return find


@asynccontextmanager
async def serving(app: FastAPI, users: UserRepository, settings: AuthSettings, runtime: Runtime) -> AsyncIterator[None]:
    """Serves the directory until the block ends; nothing is served without a token. Raises SettingsError."""
    token = _token(settings)
    if token is None:
        yield
        return
    app.state.directory = look_up(users)
    listening = grpc.Listening(
        settings.host,
        settings.grpc_port,
        connection_seconds=settings.grpc_connection_seconds,
        grace_seconds=settings.graceful_seconds,
        reflection=settings.grpc_reflection,
        access_log=settings.access_log,
    )
    services = [server.registration(app.state.directory)]
    async with grpc.serving(listening, services, token=token, health=runtime.health, metrics=runtime.metrics):
        yield


def internal_routes(app: FastAPI, settings: AuthSettings, runtime: Runtime) -> list[BaseRoute]:
    """The same look-up for the management port; none without a token."""
    token = _token(settings)
    if token is None:
        return []

    async def find(ids: Sequence[str]) -> Sequence[UserCard]:
        known: server.LookUp | None = getattr(app.state, "directory", None)
        if known is None:
            raise Unavailable("The service has not started yet.")
        return await known(ids)

    shell = create_shell("TaskService auth, internal", settings, runtime)
    shell.include_router(server.router(find, token))
    return [Mount("/", shell)]


def _token(settings: AuthSettings) -> ServiceToken | None:
    if settings.directory_token is None:
        return None
    given = [settings.directory_token, settings.directory_token_previous]
    return ServiceToken([token for token in given if token is not None])
