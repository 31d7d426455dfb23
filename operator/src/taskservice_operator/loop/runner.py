"""Workers on the queue, the periodic resync, and what becomes of each way a pass can end."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from taskservice_operator.cluster.errors import ClusterError, LeaseLost, Transient
from taskservice_operator.cluster.port import ClusterPort, Ref
from taskservice_operator.loop.measuring import Measuring, Provider
from taskservice_operator.loop.queue import Priority, TokenBucket, WorkQueue
from taskservice_operator.loop.reconcile import Decide, Outcome, Reconciler
from taskservice_operator.loop.vaulting import Reader, Vaulting
from taskservice_operator.metrics import Metrics

RESYNC_JITTER = 0.2
RELIST_RETRY_SECONDS = 10.0
STUCK_SECONDS = 120.0
"""A change that waits longer, or a pass that takes longer, means that this process should be restarted."""

log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Runner:
    """The running loop.  ``wake`` may be called from the start; nothing is looked at before ``run``.

    ``vault`` None: none is configured.
    """

    def __init__(
        self,
        cluster: ClusterPort,
        decide: Decide,
        providers: dict[str, Provider],
        metrics: Metrics,
        *,
        vault: Reader | None = None,
        vault_poll_seconds: float = 60.0,
        workers: int = 8,
        rate: float = 40.0,
        burst: int = 80,
        resync_seconds: float = 420.0,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._workers = workers
        self._resync_seconds = resync_seconds
        self._queue = WorkQueue(metrics)
        self._measuring = Measuring(providers, now, self._queue.add)
        self._vaulting = Vaulting(vault, self._queue.add, poll_seconds=vault_poll_seconds)
        metrics.vault_troubled.set_function(lambda: self._vaulting.troubled)
        self._reconciler = Reconciler(
            cluster,
            decide,
            self._measuring,
            metrics,
            vaulting=self._vaulting,
            bucket=TokenBucket(rate, burst),
            now=now,
        )
        self._stopping = asyncio.Event()

    def wake(self, refs: Iterable[Ref]) -> None:
        """Have TaskServices looked at because something about them changed."""
        for ref in refs:
            self._queue.add(ref)

    def is_stuck(self) -> bool:
        """True when the oldest change has waited for so long that something must be wrong with this process."""
        return self._queue.oldest_seconds() > STUCK_SECONDS

    def stop(self) -> None:
        """Let each worker finish its pass and :meth:`run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until :meth:`stop`.  Raises LeaseLost when a write was refused for that reason."""
        tasks = [asyncio.create_task(self._work(), name=f"worker {index}") for index in range(self._workers)]
        tasks.append(asyncio.create_task(self._resync(), name="resync"))
        try:
            await _first_failure(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._measuring.close()
            await self._vaulting.close()

    async def _work(self) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                taking = asyncio.create_task(self._queue.take())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    return
                ref = taking.result()
                try:
                    await self._pass(ref)
                finally:
                    self._queue.done(ref)
        finally:
            stopping.cancel()

    async def _pass(self, ref: Ref) -> None:
        fields = {"taskservice": ref.name, "namespace": ref.namespace}
        started = time.perf_counter()
        try:
            outcome = await self._reconciler.reconcile(ref)
        except LeaseLost:
            raise
        except ClusterError as error:
            seconds = self._queue.retry(ref, error.retry_after if isinstance(error, Transient) else None)
            log.info(
                "reconcile_retried",
                extra={**fields, "reason": type(error).__name__, "error": error.message, "seconds": round(seconds, 2)},
            )
            result = "retried"
        except Exception:
            # One TaskService that cannot be decided upon must not keep the others waiting.
            log.exception("reconcile_failed", extra=fields)
            self._queue.retry(ref)
            result = "failed"
        else:
            self._succeeded(ref, outcome)
            result = outcome.result
        self._metrics.reconciles.labels(result).inc()
        self._metrics.reconcile_seconds.observe(time.perf_counter() - started)

    def _succeeded(self, ref: Ref, outcome: Outcome) -> None:
        if outcome.result == "gone":
            self._queue.forget(ref)
            return
        self._queue.succeeded(ref)
        if outcome.requeue_after is not None:
            self._queue.schedule(ref, outcome.requeue_after)
        else:
            self._queue.unschedule(ref)

    async def _resync(self) -> None:
        """Look at everything at the start and every so often: what no watch told us must not stay unseen."""
        while not self._stopping.is_set():
            try:
                for ref in await self._cluster.relist():
                    self._queue.add(ref, Priority.RESYNC)
                seconds = self._resync_seconds * (1 + RESYNC_JITTER * (2 * random.random() - 1))  # noqa: S311
            except ClusterError as error:
                log.warning("relist_failed", extra={"reason": type(error).__name__, "error": error.message})
                seconds = RELIST_RETRY_SECONDS
            try:
                await asyncio.wait_for(self._stopping.wait(), seconds)
            except TimeoutError:
                continue


async def _first_failure(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all to end; raise the first exception as soon as there is one."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
