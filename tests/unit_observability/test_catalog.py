"""The catalogue is what the code exports: every metric, with its kind and its labels, and nothing else."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from taskservice.auth.app import create_app as create_auth
from taskservice.kit.app import Runtime
from taskservice.kit.mongo_pool import PoolMetrics
from taskservice.kit.settings import AuthSettings
from taskservice.worker.metrics import WorkerMetrics
from taskservice_observability import catalog
from taskservice_observability.catalog import Kind, Metric, Source
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.metrics import Metrics as OperatorMetrics
from taskservice_operator.state_metrics import FAMILIES, TaskServiceStates

Exported = dict[str, tuple[Kind, tuple[str, ...]]]


def exported(registry: CollectorRegistry) -> Exported:
    """Name as scraped → kind and labels, of everything registered; some have no sample yet."""
    found: Exported = {}
    for collector in set(registry._collector_to_names):
        if isinstance(collector, MetricWrapperBase):
            kind = Kind(collector._type)
            name = collector._name + ("_total" if kind is Kind.COUNTER else "")
            found[name] = (kind, tuple(collector._labelnames))
            continue
        for family in collector.collect():
            kind = Kind(family.type)
            found[family.name + ("_total" if kind is Kind.COUNTER else "")] = (kind, ())
    return found


def catalogued(*sources: Source) -> Exported:
    return {metric.name: (metric.kind, metric.labels) for metric in catalog.of(*sources)}


def process_metrics() -> Exported:
    return {name: value for name, value in catalogued(Source.EVERY_SERVICE).items() if name.startswith("process_")}


@pytest.fixture
def auth() -> CollectorRegistry:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    settings: dict[str, Any] = {
        "mongo_url": "mongodb://nowhere",
        "jwt_private_key": pem,
        "argon2_memory_kib": 8,
        "argon2_time_cost": 1,
    }
    made = AuthSettings(**settings)
    runtime = Runtime.of("auth", made)
    create_auth(made, runtime)
    PoolMetrics(runtime.metrics.registry, largest=5)
    return runtime.metrics.registry


def test_auth_exports_what_the_catalogue_says(auth: CollectorRegistry) -> None:
    assert exported(auth) == catalogued(Source.EVERY_SERVICE, Source.DATABASE_USER, Source.AUTH)


def test_the_worker_adds_what_the_catalogue_says() -> None:
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    assert exported(registry) == catalogued(Source.WORKER)


def test_the_operator_exports_what_the_catalogue_says() -> None:
    metrics = OperatorMetrics()
    states = {family.name: (Kind.GAUGE, family.labels) for family in FAMILIES}
    assert exported(metrics.registry) | states == catalogued(Source.OPERATOR) | process_metrics()
    metrics.registry.register(TaskServiceStates(Cache().taskservices))
    assert {family.name for family in metrics.registry.collect()} >= set(states)


def test_no_name_stands_in_the_catalogue_twice() -> None:
    assert len(catalog.BY_NAME) == len(catalog.METRICS)


def test_histograms_are_stored_as_three_series() -> None:
    metric = Metric("a_seconds", Kind.HISTOGRAM, (), Source.WORKER, "")
    assert metric.series == ("a_seconds_bucket", "a_seconds_count", "a_seconds_sum")
