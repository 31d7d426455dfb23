"""kopf as a watcher and nothing else: ``on.event`` for each kind, no state, no finalizers, no writes.

A handler is told one object; it updates the cache and wakes the TaskServices that the object concerns.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import kopf

from taskservice_operator.api import names
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.cluster.kinds import SOURCES, TASKSERVICE, WATCHED, Kind
from taskservice_operator.cluster.kube import Credentials
from taskservice_operator.cluster.port import Manifest, Ref


class _Backoffs:
    """Delays between retries of kopf's own requests, in seconds: jittered, and never ending.  Iterable anew."""

    def __iter__(self) -> Iterator[float]:
        for step in itertools.chain((0.5, 1, 2, 4), itertools.repeat(8)):
            yield step * random.uniform(0.75, 1.25)  # noqa: S311


def build_settings() -> kopf.OperatorSettings:
    """kopf's settings: bounded requests, our own leader election, nothing posted, nothing stored."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Backoffs()
    # Regular reconnects spread the load over several API servers; stalls are found by inactivity_timeout.
    settings.watching.server_timeout = random.randint(300, 600)  # noqa: S311 (whole seconds or a 400)
    settings.watching.client_timeout = settings.watching.server_timeout + 60
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 500
    for kind in WATCHED:
        # Anybody's ConfigMaps and Secrets may be referred to, so those are watched without a selector.
        if kind is not TASKSERVICE and kind not in SOURCES:
            settings.watching.label_selectors[_group(kind), kind.plural] = names.MANAGED_SELECTOR
    settings.queueing.idle_timeout = 1
    settings.queueing.error_delays = (1, 2, 5, 10, 30)
    settings.execution.default_backoff = 5
    settings.process.ultimate_exiting_timeout = 20
    return settings


def build_registry(
    cache: Cache, wake: Callable[[Iterable[Ref]], None], login: Callable[[], Any]
) -> kopf.OperatorRegistry:
    """Handlers for every kind we watch.  ``login`` returns our transport's credentials when awaited."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def share_login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(await login())

    for kind in WATCHED:
        _watch(registry, kind, cache, wake)
    return registry


def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """Our credentials in kopf's words: one login for both connections."""
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_path,
        insecure=credentials.insecure,
        token=credentials.token,
        certificate_path=credentials.certificate_path,
        private_key_path=credentials.key_path,
    )


def take_in(cache: Cache, kind: Kind, event: Manifest) -> frozenset[Ref]:
    """Update the cache by one watch event; return whom it concerns."""
    manifest = {**event["object"], "apiVersion": kind.api_version, "kind": kind.kind}
    if event["type"] == "DELETED":
        return cache.remove(manifest)
    return cache.update(manifest)


def _watch(registry: kopf.OperatorRegistry, kind: Kind, cache: Cache, wake: Callable[[Iterable[Ref]], None]) -> None:
    version = kind.api_version.rpartition("/")[2]

    @kopf.on.event(_group(kind), version, kind.plural, registry=registry, id=f"watch-{kind.plural}")
    async def watch(event: Any, **_: Any) -> None:
        wake(take_in(cache, kind, event))


def _group(kind: Kind) -> str:
    return kind.api_version.rpartition("/")[0]
