"""The operator process: read the settings, wire everything, run until told to stop.

``python -m taskservice_operator``.  Exits with 0 after SIGTERM, 1 when the lease or a watch is lost, 2 for
settings that cannot be used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import uuid
from functools import partial
from typing import Any, cast

import kopf

from taskservice_operator import __version__
from taskservice_operator.analysis.http import measure_http
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.cluster.errors import ClusterError, LeaseLost
from taskservice_operator.cluster.kube import KubeApi
from taskservice_operator.cluster.lease import Leadership
from taskservice_operator.cluster.live import LiveCluster
from taskservice_operator.cluster.tokens import request_token
from taskservice_operator.core.reconcile import decide
from taskservice_operator.handlers.probes import Probes
from taskservice_operator.handlers.watching import build_registry, build_settings
from taskservice_operator.logs import configure_logs
from taskservice_operator.loop.runner import Runner
from taskservice_operator.loop.vaulting import translated
from taskservice_operator.metrics import Metrics
from taskservice_operator.settings import InvalidSettings, Settings, read_settings
from taskservice_operator.state_metrics import TaskServiceStates
from taskservice_operator.vault.hvac_client import HvacVault
from taskservice_operator.vault.sessions import Sessions

FIRST_LIST_RETRY_SECONDS = 3.0
STOP_SECONDS = 10.0

log = logging.getLogger("taskservice_operator")


class Operator:
    """One operator process from start to stop."""

    def __init__(self, settings: Settings, api: KubeApi) -> None:
        self._settings = settings
        self._api = api
        self._metrics = Metrics()
        self._cache = Cache()
        self._listed = asyncio.Event()
        identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        self._leadership = Leadership(
            api,
            settings.lease_namespace,
            settings.lease_name,
            identity,
            count_write=self._metrics.count_write,
        )
        self._cluster = LiveCluster(
            api,
            self._cache,
            namespaces=settings.namespaces,
            fence=self._leadership.check if settings.leader_election else lambda: None,
            count_write=self._metrics.count_write,
        )
        self._runner = Runner(
            self._cluster,
            decide,
            {"http": measure_http},
            self._metrics,
            workers=settings.workers,
            rate=settings.rate,
            burst=settings.burst,
            resync_seconds=settings.resync_seconds,
            vault=self._vault_sessions(),
            vault_poll_seconds=settings.vault.poll_seconds,
        )
        self._probes = Probes(self._metrics.registry, alive=self._not_alive, ready=self._not_ready)
        self._metrics.registry.register(TaskServiceStates(self._cache.taskservices))
        self._metrics.objects.set_function(lambda: len(self._cache.refs))
        self._metrics.leader.set_function(lambda: float(self._is_leading()))

    def _vault_sessions(self) -> Sessions | None:
        """None when no Vault is configured."""
        vault = self._settings.vault
        if not vault.address:
            return None
        if vault.address.startswith("http:"):
            log.warning("vault_without_tls", extra={"address": vault.address})
        return Sessions(
            HvacVault(vault.address, auth_mount=vault.auth_mount, ca_file=vault.ca_file, threads=vault.concurrency),
            translated(partial(request_token, self._api, vault.audience)),
            concurrency=vault.concurrency,
            count=self._metrics.count_vault,
        )

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.  Raises whatever made a watch end; when the lease is lost, ends the process."""
        stop = asyncio.Event()
        await self._probes.start(self._settings.port)
        log.info("operator_started", extra={"version": __version__, "port": self._probes.port})
        unwatch = asyncio.Event()
        watching = asyncio.create_task(self._watch(stop, unwatch), name="watching")
        leading = asyncio.create_task(self._lead(), name="leading")
        parts = {watching, leading}
        if self._settings.leader_election:
            parts.add(asyncio.create_task(self._leadership.hold(), name="lease"))
        _on_signals(stop)
        stopping = asyncio.create_task(stop.wait(), name="stopping")
        try:
            done, _ = await asyncio.wait({stopping, *parts}, return_when=asyncio.FIRST_COMPLETED)
            _raise_failure(done - {stopping})
            log.info("operator_stopping")
            self._runner.stop()
            if self._is_leading():
                await asyncio.wait({leading}, timeout=STOP_SECONDS)
        except LeaseLost as error:
            # Whoever has the lease now must not meet a single further write of ours: no clean-up, out.
            log.error("lease_lost", extra={"error": error.message})
            logging.shutdown()
            os._exit(1)
        finally:
            for part in (parts | {stopping}) - {watching}:
                part.cancel()
            await asyncio.wait((parts | {stopping}) - {watching}, timeout=STOP_SECONDS)
            await self._leadership.release()
            # The watches last: when kopf ends, it cancels every task that is younger than itself.
            unwatch.set()
            await asyncio.wait({watching}, timeout=STOP_SECONDS)
            watching.cancel()
            await self._probes.stop()

    async def _watch(self, stop: asyncio.Event, unwatch: asyncio.Event) -> None:
        """List everything once, then watch.  Followers too: a new leader starts with a warm cache."""
        while not self._listed.is_set():
            try:
                await self._cluster.relist()
                self._listed.set()
            except ClusterError as error:
                # Most likely the CRDs or our permissions are not installed yet.
                log.warning("first_list_failed", extra={"reason": type(error).__name__, "error": error.message})
                await asyncio.sleep(FIRST_LIST_RETRY_SECONDS)
        namespaces = self._settings.namespaces
        before = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            # kopf would ask who we are, and a container's user has no name.
            identity=cast(Any, socket.gethostname()),
            registry=build_registry(self._cache, self._runner.wake, self._api.credentials),
            settings=build_settings(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=unwatch,
        )
        _on_signals(stop)  # kopf has taken the signals; but the lease is given back before the watches end
        await kopf.run_tasks(tasks, ignored=before)

    async def _lead(self) -> None:
        if self._settings.leader_election:
            await self._leadership.acquired.wait()
        await self._listed.wait()
        await self._runner.run()

    def _is_leading(self) -> bool:
        return self._leadership.is_held or not self._settings.leader_election

    def _not_alive(self) -> str | None:
        if self._leadership.acquired.is_set() and not self._leadership.is_held:
            return "the lease is lost"
        return "a change has waited for too long" if self._is_leading() and self._runner.is_stuck() else None

    def _not_ready(self) -> str | None:
        return None if self._listed.is_set() else "not everything was listed yet"


def _raise_failure(ended: set[asyncio.Task[Any]]) -> None:
    """Raise what made a part end that should have run for ever."""
    for part in ended:
        if not part.cancelled():
            part.result()
    if ended:
        raise RuntimeError(f"{', '.join(part.get_name() for part in ended)} ended unasked")


def _on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _run(settings: Settings) -> int:
    api = await KubeApi.connect()
    try:
        await Operator(settings, api).run()
    except Exception:
        log.exception("operator_failed")
        return 1
    finally:
        await api.close()
    log.info("operator_stopped")
    return 0


def main() -> int:
    """Run the operator; return the process's exit status."""
    try:
        settings = read_settings()
    except InvalidSettings as error:
        print(error, file=sys.stderr)
        return 2
    configure_logs(settings.log_format, settings.log_level)
    return asyncio.run(_run(settings))


if __name__ == "__main__":
    sys.exit(main())
