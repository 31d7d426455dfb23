"""Recording rules for all TaskServices, named ``level:metric:operation``; dashboards and alerts read them."""

from __future__ import annotations

from dataclasses import dataclass

from taskservice_observability import catalog
from taskservice_observability.expressions import REVISION, TASKSERVICE, or_zero, quantile, rate, ratio

FAILED = 'http_response_status_code=~"5.."'


@dataclass(frozen=True)
class Recording:
    """A recorded series: its name, what it is made of, and which labels it has."""

    name: str
    expr: str
    labels: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def _requests(level: str, by: tuple[str, ...]) -> Recording:
    return Recording(f"{level}:http_requests:rate5m", rate(catalog.HTTP_DURATION.count, by=by), by)


def _errors(level: str, by: tuple[str, ...]) -> Recording:
    whole = rate(catalog.HTTP_DURATION.count, by=by)
    part = or_zero(rate(catalog.HTTP_DURATION.count, FAILED, by=by), whole)
    return Recording(f"{level}:http_errors:ratio_rate5m", ratio(part, whole), by)


REQUESTS = _requests("taskservice", TASKSERVICE)
ERRORS = _errors("taskservice", TASKSERVICE)
REVISION_REQUESTS = _requests("taskservice_revision", REVISION)
REVISION_ERRORS = _errors("taskservice_revision", REVISION)
REVISION_P50, REVISION_P95, REVISION_P99 = (
    Recording(
        f"taskservice_revision:http_request_duration_seconds:p{q * 100:g}_rate5m",
        quantile(q, catalog.HTTP_DURATION.bucket, by=REVISION),
        REVISION,
    )
    for q in (0.5, 0.95, 0.99)
)
_CACHE = (*TASKSERVICE, "cache")
CACHE_HITS = Recording(
    "taskservice_cache:cache_hits:ratio_rate5m",
    ratio(
        or_zero(
            rate(catalog.CACHE_REQUESTS, 'result=~"hit|shared"', by=_CACHE), rate(catalog.CACHE_REQUESTS, by=_CACHE)
        ),
        rate(catalog.CACHE_REQUESTS, by=_CACHE),
    ),
    _CACHE,
)
CACHE_AWAY = Recording(
    "taskservice_cache:cache_away:ratio_rate5m",
    ratio(
        or_zero(rate(catalog.CACHE_REQUESTS, 'result="away"', by=_CACHE), rate(catalog.CACHE_REQUESTS, by=_CACHE)),
        rate(catalog.CACHE_REQUESTS, by=_CACHE),
    ),
    _CACHE,
)
POOL_USED = Recording(
    "taskservice:db_client_connections:used_ratio",
    f'sum by (namespace, taskservice) ({catalog.POOL_CONNECTIONS}{{state="used"}})'
    f" / sum by (namespace, taskservice) ({catalog.POOL_MAX})",
    TASKSERVICE,
)
RECONCILE_ERRORS = Recording(
    "operator:reconcile_errors:ratio_rate5m",
    ratio(
        or_zero(rate(catalog.RECONCILES, 'result=~"failed|retried"'), rate(catalog.RECONCILES)),
        rate(catalog.RECONCILES),
    ),
    (),
)

GROUPS: dict[str, tuple[Recording, ...]] = {
    "taskservice-requests": (
        REQUESTS, ERRORS, REVISION_REQUESTS, REVISION_ERRORS, REVISION_P50, REVISION_P95, REVISION_P99,
    ),
    "taskservice-data": (CACHE_HITS, CACHE_AWAY, POOL_USED),
    "taskservice-operator": (RECONCILE_ERRORS,),
}  # fmt: skip
RECORDINGS = tuple(recording for group in GROUPS.values() for recording in group)
