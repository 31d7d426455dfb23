"""Puts auth together. Tests call the same `create_app` with another way to open the adapters."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI

from taskservice.auth import directory
from taskservice.auth.endpoints import router
from taskservice.auth.gate import Gate
from taskservice.auth.keys import KeyRing
from taskservice.auth.lockout import FAILURES, FailureRepository, Lockout, MongoFailures
from taskservice.auth.passwords import Argon2Passwords
from taskservice.auth.repository import INDEXES, MongoUsers, UserRepository
from taskservice.auth.service import AuthService
from taskservice.auth.sessions import SESSIONS, MongoSessions, SessionRepository
from taskservice.auth.tokens import Tokens
from taskservice.directory.cache import CardCache, NullCardCache, RedisCardCache
from taskservice.kit import denylist_mirror, mongo, redis
from taskservice.kit.app import Runtime, create_shell
from taskservice.kit.bearer import Authenticator
from taskservice.kit.denylist import Denylist
from taskservice.kit.jwt import Issuer, StaticKeys, Verifier
from taskservice.kit.limits import Counter, NoCounter, RedisCounter
from taskservice.kit.settings import AuthSettings
from taskservice.kit.warmup import warming


@dataclass(frozen=True)
class Adapters:
    """What auth needs from outside."""

    users: UserRepository
    sessions: SessionRepository
    failures: FailureRepository
    denylist: Denylist
    cards: CardCache
    counter: Counter


OpenAdapters = Callable[[AuthSettings, Runtime], AbstractAsyncContextManager[Adapters]]


@asynccontextmanager
async def open_adapters(settings: AuthSettings, runtime: Runtime) -> AsyncIterator[Adapters]:
    """MongoDB, and Redis if configured; ready once the indexes are known to exist."""
    async with AsyncExitStack() as stack:
        database = mongo.connect(settings, runtime.metrics)
        stack.push_async_callback(database.close)
        cache = await stack.enter_async_context(redis.opened(settings))
        denylist = await stack.enter_async_context(denylist_mirror.opened(database, cache, settings))
        steps = {"mongo": lambda: database.ensure_indexes(INDEXES)}
        await stack.enter_async_context(warming(runtime.health, steps))
        yield Adapters(
            MongoUsers(database),
            MongoSessions(database.collection(SESSIONS)),
            MongoFailures(database.collection(FAILURES)),
            denylist,
            RedisCardCache(cache) if cache else NullCardCache(),
            RedisCounter(cache) if cache else NoCounter(),
        )


def create_app(
    settings: AuthSettings,
    runtime: Runtime,
    *,
    open_adapters: OpenAdapters = open_adapters,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The auth app. Raises SettingsError for an unusable key."""
    keys = KeyRing.of(settings)
    issuer = Issuer(keys.current, settings.jwt_issuer, settings.jwt_audience, settings.jwt_lifetime_seconds)
    verifier = Verifier(StaticKeys(keys.published), issuer.issuer, issuer.audience)
    passwords = Argon2Passwords(settings)
    passwords.show(runtime.metrics.registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_adapters(settings, runtime) as adapters:
            tokens = Tokens(adapters.users, adapters.sessions, adapters.denylist, issuer, settings, now)
            lockout = Lockout(
                adapters.failures,
                free=settings.lockout_free_failures,
                base=timedelta(seconds=settings.lockout_base_seconds),
                cap=timedelta(seconds=settings.lockout_cap_seconds),
                now=now,
            )
            app.state.auth = AuthService(adapters.users, passwords, tokens, lockout, adapters.cards, now)
            app.state.keys = keys
            app.state.gate = Gate.of(settings, adapters.counter)
            app.state.authenticator = Authenticator(verifier, adapters.denylist)
            async with directory.serving(app, adapters.users, settings, runtime):
                yield

    app = create_shell("TaskService auth", settings, runtime, lifespan)
    app.include_router(router)
    return app
