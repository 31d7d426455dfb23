"""Opens the way to auth's user directory, as the settings describe it."""

from collections.abc import Collection
from contextlib import AsyncExitStack

from taskservice.directory.cache import CachedDirectory
from taskservice.directory.client import RemoteDirectory
from taskservice.directory.targets import GrpcTarget, HttpTarget, Target
from taskservice.kit.app import Runtime
from taskservice.kit.errors import Unavailable
from taskservice.kit.redis import BestEffortRedis
from taskservice.kit.settings import TasksSettings
from taskservice.tasks.directory import Directory, UserCard


class NoDirectory:
    """Directory where none is configured: nobody can tell."""

    async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
        if ids:
            raise Unavailable("No user directory is configured.")
        return {}


def open_directory(
    settings: TasksSettings, runtime: Runtime, stack: AsyncExitStack, redis: BestEffortRedis | None
) -> Directory:
    """gRPC first and HTTP second, whichever of them is configured, behind a cache if there is a Redis.

    `stack` closes them.
    """
    token, agent = settings.directory_token, f"taskservice-tasks/{settings.version}"
    targets: list[Target] = []
    if token is not None and settings.directory_grpc is not None:
        targets.append(GrpcTarget(settings.directory_grpc, token, user_agent=agent))
    if token is not None and settings.directory_http_url is not None:
        targets.append(HttpTarget(settings.directory_http_url, token, user_agent=agent))
    if not targets:
        return NoDirectory()
    remote = RemoteDirectory(
        targets,
        metrics=runtime.metrics,
        timeout_seconds=settings.directory_timeout_seconds,
        attempt_seconds=settings.directory_attempt_seconds,
        breaker_failures=settings.directory_breaker_failures,
        breaker_seconds=settings.directory_breaker_seconds,
    )
    stack.push_async_callback(remote.close)
    if redis is None:
        return remote
    cached = CachedDirectory(remote, redis, runtime.metrics, settings.directory_cache_seconds)
    stack.push_async_callback(cached.close)
    return cached
