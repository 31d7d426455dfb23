"""Puts tasks together. Tests call the same `create_app` with another way to open the adapters."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI

from taskservice.activity import repository as activity_log
from taskservice.activity.repository import ActivityLog, MongoActivity
from taskservice.kit import denylist_mirror, idempotency, mongo, outbox, redis
from taskservice.kit.app import Runtime, create_shell
from taskservice.kit.bearer import Authenticator
from taskservice.kit.denylist import Denylist
from taskservice.kit.idempotency import Answers, MongoAnswers
from taskservice.kit.jwks import CachedKeys, HttpKeySet
from taskservice.kit.jwt import KeySource, Verifier
from taskservice.kit.outbox import MongoOutbox
from taskservice.kit.redis import BestEffortRedis
from taskservice.kit.settings import TasksSettings
from taskservice.kit.warmup import warming
from taskservice.tasks import activity_endpoints
from taskservice.tasks.activity import Activity
from taskservice.tasks.cache import ListCache, NullListCache, RedisListCache
from taskservice.tasks.cursor import Cursors
from taskservice.tasks.directory import Directory
from taskservice.tasks.directory_client import open_directory
from taskservice.tasks.endpoints import router
from taskservice.tasks.list_lane import ListLane
from taskservice.tasks.repository import INDEXES, MongoTasks, TaskRepository
from taskservice.tasks.service import TaskService


@dataclass(frozen=True)
class Adapters:
    """What tasks needs from outside."""

    tasks: TaskRepository
    answers: Answers
    activity: ActivityLog
    directory: Directory
    cache: ListCache
    keys: KeySource
    denylist: Denylist


OpenAdapters = Callable[[TasksSettings, Runtime], AbstractAsyncContextManager[Adapters]]


@asynccontextmanager
async def open_adapters(settings: TasksSettings, runtime: Runtime) -> AsyncIterator[Adapters]:
    """MongoDB, Redis if configured, and the issuer's keys; ready once indexes and keys are known."""
    async with AsyncExitStack() as stack:
        database = mongo.connect(settings, runtime.metrics)
        stack.push_async_callback(database.close)
        cached = await stack.enter_async_context(redis.opened(settings))
        denylist = await stack.enter_async_context(denylist_mirror.opened(database, cached, settings))
        cache = _open_cache(cached, settings, runtime, stack)
        fetch = HttpKeySet(settings.jwks_url, settings.jwks_timeout_seconds)
        stack.push_async_callback(fetch.close)
        keys = CachedKeys(
            fetch,
            max_age_seconds=settings.jwks_max_age_seconds,
            cooldown_seconds=settings.jwks_cooldown_seconds,
        )
        stack.push_async_callback(keys.close)
        indexes = INDEXES | outbox.INDEXES | idempotency.INDEXES | activity_log.INDEXES
        steps = {"mongo": lambda: database.ensure_indexes(indexes), "jwks": keys.warm}
        await stack.enter_async_context(warming(runtime.health, steps))
        directory = open_directory(settings, runtime, stack, cached)
        answers = MongoAnswers(database.collection(idempotency.IDEMPOTENCY))
        tasks = MongoTasks(database, MongoOutbox(database.collection(outbox.OUTBOX)), answers)
        yield Adapters(tasks, answers, MongoActivity(database), directory, cache, keys, denylist)


def _open_cache(
    redis: BestEffortRedis | None, settings: TasksSettings, runtime: Runtime, stack: AsyncExitStack
) -> ListCache:
    if redis is None:
        return NullListCache()
    cache = RedisListCache(redis, runtime.metrics, settings.cache_ttl_seconds)
    stack.push_async_callback(cache.close)
    return cache


def create_app(
    settings: TasksSettings,
    runtime: Runtime,
    *,
    open_adapters: OpenAdapters = open_adapters,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The tasks app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        cursors = Cursors(settings.cursor_signing_key())
        async with open_adapters(settings, runtime) as adapters:
            app.state.tasks = TaskService(
                adapters.tasks,
                adapters.answers,
                adapters.directory,
                adapters.cache,
                cursors,
                now,
            )
            app.state.activity = Activity(app.state.tasks, adapters.activity, cursors)
            verifier = Verifier(adapters.keys, settings.jwt_issuer, settings.jwt_audience)
            app.state.authenticator = Authenticator(verifier, adapters.denylist)
            yield

    app = create_shell("TaskService tasks", settings, runtime, lifespan, within=ListLane)
    app.include_router(router)
    app.include_router(activity_endpoints.router)
    return app
