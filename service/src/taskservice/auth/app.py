"""Puts auth together. Tests call the same `create_app` with another way to open the adapters."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from taskservice.auth.endpoints import router
from taskservice.auth.passwords import Argon2Passwords
from taskservice.auth.repository import INDEXES, USERS, MongoUsers, UserRepository
from taskservice.auth.service import AuthService
from taskservice.kit import mongo
from taskservice.kit.app import Runtime, create_shell
from taskservice.kit.jwt import Issuer, SigningKey, StaticKeys, Verifier
from taskservice.kit.settings import AuthSettings
from taskservice.kit.warmup import warming

OpenUsers = Callable[[AuthSettings, Runtime], AbstractAsyncContextManager[UserRepository]]


@asynccontextmanager
async def open_mongo_users(settings: AuthSettings, runtime: Runtime) -> AsyncIterator[UserRepository]:
    """Users in MongoDB; ready once the indexes are known to exist."""
    database = mongo.connect(settings)
    try:
        async with warming(runtime.health, {"mongo": lambda: database.ensure_indexes(INDEXES)}):
            yield MongoUsers(database.collection(USERS))
    finally:
        await database.close()


def create_app(
    settings: AuthSettings,
    runtime: Runtime,
    *,
    open_users: OpenUsers = open_mongo_users,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The auth app. Raises SettingsError for an unusable signing key."""
    key = SigningKey.from_pem(settings.signing_key_pem())
    issuer = Issuer(key, settings.jwt_issuer, settings.jwt_audience, settings.jwt_lifetime_seconds)
    passwords = Argon2Passwords(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_users(settings, runtime) as users:
            app.state.auth = AuthService(users, passwords, issuer, now)
            app.state.verifier = Verifier(
                StaticKeys({key.kid: key.private.public_key()}), issuer.issuer, issuer.audience
            )
            yield

    app = create_shell("TaskService auth", settings, runtime, lifespan)
    app.include_router(router)
    return app
