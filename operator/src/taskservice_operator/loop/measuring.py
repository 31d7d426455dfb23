"""Measurements under way and finished ones that no status holds yet.

A measurement's identity is (UID, revision, stage, metric, index): it runs at most once at a time, and its result
is offered to every decision until a finished pass has taken it in or passed it over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import Measure, Measurement

Provider = Callable[[Measure], Awaitable[tuple[str, str]]]
"""Takes one measurement: a verdict (``Pass``, ``Fail`` or ``Error``) and one sentence."""

LIMIT_SECONDS = 300.0
"""No measurement takes longer; providers bound themselves well below that."""

Identity = tuple[str, str, str, int]

log = logging.getLogger(__name__)


class Measuring:
    """Runs measures as background tasks and keeps the results for the next decision."""

    def __init__(
        self, providers: dict[str, Provider], now: Callable[[], datetime], finished: Callable[[Ref], None]
    ) -> None:
        self._providers = providers
        self._now = now
        self._finished = finished
        self._uids: dict[Ref, str] = {}
        self._running: dict[tuple[str, Identity], asyncio.Task[None]] = {}
        self._results: dict[str, dict[Identity, Measurement]] = {}

    def results(self, uid: str) -> tuple[Measurement, ...]:
        """What is known and perhaps not recorded, in the order of index."""
        results = self._results.get(uid, {})
        return tuple(results[identity] for identity in sorted(results))

    def wanted(self, uid: str, measures: Iterable[Measure]) -> tuple[Measure, ...]:
        """Those that neither run nor have a result."""
        known = self._results.get(uid, {})
        return tuple(
            measure
            for measure in measures
            if _identity(measure) not in known and (uid, _identity(measure)) not in self._running
        )

    def start(self, ref: Ref, uid: str, measures: Iterable[Measure]) -> None:
        """Begin those that are :meth:`wanted`."""
        self._uids[ref] = uid
        for measure in self.wanted(uid, measures):
            key = (uid, _identity(measure))
            self._running[key] = asyncio.create_task(self._run(ref, uid, measure), name=f"measure {ref} {key}")

    def settle(self, uid: str, offered: Iterable[Measurement]) -> None:
        """Drop results that a finished pass was offered: it has recorded what it wanted of them."""
        results = self._results.get(uid, {})
        for measurement in offered:
            results.pop((measurement.revision, measurement.stage, measurement.metric, measurement.index), None)
        if not results:
            self._results.pop(uid, None)

    def forget(self, ref: Ref) -> None:
        """End everything about a TaskService that is no more."""
        uid = self._uids.pop(ref, None)
        for key, task in list(self._running.items()):
            if key[0] == uid:
                task.cancel()
        if uid is not None:
            self._results.pop(uid, None)

    async def close(self) -> None:
        """Cancel what runs and wait for it to end."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, ref: Ref, uid: str, measure: Measure) -> None:
        identity = _identity(measure)
        try:
            verdict, message = await asyncio.wait_for(self._measure(measure), LIMIT_SECONDS)
        except TimeoutError:
            verdict, message = "Error", f"no result within {LIMIT_SECONDS:g} s"
        except Exception as error:
            log.exception("measurement_crashed", extra={"taskservice": ref.name, "namespace": ref.namespace})
            verdict, message = "Error", f"the provider {measure.metric.provider} failed: {error}"
        finally:
            self._running.pop((uid, identity), None)
        if self._uids.get(ref) != uid:
            return
        self._results.setdefault(uid, {})[identity] = Measurement(
            revision=measure.revision,
            stage=measure.stage,
            metric=measure.metric.name,
            index=measure.index,
            verdict=verdict,
            message=message,
            finished_at=self._now(),
        )
        self._finished(ref)

    async def _measure(self, measure: Measure) -> tuple[str, str]:
        provider = self._providers.get(measure.metric.provider)
        if provider is None:
            return "Error", f"there is no provider named {measure.metric.provider!r}"
        return await provider(measure)


def _identity(measure: Measure) -> Identity:
    return (measure.revision, measure.stage, measure.metric.name, measure.index)
