"""What has no data after a healthy run, with the reason: every Prometheus of the tests is held to this list.

What has no data and is not listed is a mistake of a query, what is listed and has data a mistake of this list.
"""

from __future__ import annotations

from taskservice_observability import catalog
from taskservice_observability.catalog import Source

NO_RETRY = "nothing between the services fails in a healthy run"
NO_TROUBLE = "no event fails in a healthy run, and a counter with labels that has never counted has no series"
NO_VAULT = "this operator has no Vault"
NO_KEEPER = "nobody keeps Vault and backups in this demo"

TROUBLES = frozenset({NO_RETRY, NO_TROUBLE})
"""Where a run cannot be kept from all trouble, these may have data nevertheless; the other reasons are of the place."""

PANELS: dict[tuple[str, str, str], str] = {
    ("taskservice-service", "Calls made by outcome", "B"): NO_RETRY,
    ("taskservice-data", "Trouble", "B"): NO_TROUBLE,
    ("taskservice-data", "Trouble", "C"): NO_TROUBLE,
    ("taskservice-operator", "Requests to Vault", "A"): NO_VAULT,
}
"""Queries by page, panel and letter."""

METRICS: dict[str, str] = {
    str(catalog.EVENTS_DEAD): NO_TROUBLE,
    str(catalog.EVENTS_FAILED): NO_TROUBLE,
    str(catalog.CLIENT_RETRIES): NO_RETRY,
    str(catalog.VAULT_REQUESTS): NO_VAULT,
    **{str(metric): NO_KEEPER for metric in catalog.of(Source.KEEPER)},
}
"""Metrics of the catalogue."""


def series() -> set[str]:
    """The names under which Prometheus would store those metrics."""
    return {each for name in METRICS for each in catalog.BY_NAME[name].series}
