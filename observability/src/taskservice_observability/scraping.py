"""Prometheus' own configuration: whom it asks, and which labels what it gets must have.

The labels are the contract with rules and dashboards (``catalog.TARGET_LABELS``), the same however targets are found:
in Kubernetes, or named one by one in a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskservice_observability import catalog

Json = dict[str, Any]

PORT = "management;.*|http;9090"
"""Name and number of the port that is asked: the management port, or the only port of a service that serves nobody."""
_META = "__meta_kubernetes_pod"


def configuration(
    *,
    grafana: str,
    runbooks: str,
    alertmanager: str,
    interval: str = "15s",
    targets: Mapping[str, list[Json]] | None = None,
    sidecar: str = "/var/lib/prometheus-sidecar",
    rule_files: tuple[str, ...] = ("/etc/prometheus/rules/*.yaml", "/var/lib/prometheus-sidecar/rules/*.yaml"),
) -> Json:
    """``prometheus.yml``.

    ``grafana`` and ``runbooks`` are addresses that alerts link to.  Pods come from the files that
    ``prometheus_sidecar`` writes below ``sidecar``.  ``targets``: static configurations by job, in place of those.
    """
    jobs = [_services(), _operator(), _rabbitmq(), _keeper()]
    for job in jobs:
        if targets is None:
            job["file_sd_configs"] = [{"files": [f"{sidecar}/targets/pods.json"], "refresh_interval": "15s"}]
        else:
            job["relabel_configs"] = []
            job["static_configs"] = targets.get(job["job_name"], [])
    return {
        "global": {
            "scrape_interval": interval,
            "evaluation_interval": interval,
            # Alerts link to these addresses; receivers get the links, not the labels.
            "external_labels": {"grafana": grafana, "runbooks": runbooks},
        },
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "grafana|runbooks"}],
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else [],
        },
        "rule_files": list(rule_files),
        "scrape_configs": jobs,
    }


def _services() -> Json:
    """Pods of TaskServices.  What they say of themselves under our labels' names is dropped: none speaks for others."""
    ours = "|".join(catalog.TARGET_LABELS)
    return {
        "job_name": catalog.JOB_SERVICES,
        "relabel_configs": [
            _keep(f"{_META}_label_taskservice_dev_name", ".+"),
            _keep(f"{_META}_phase", "Running"),
            _keep([f"{_META}_container_port_name", f"{_META}_container_port_number"], PORT),
            _label("__meta_kubernetes_namespace", "namespace"),
            _label(f"{_META}_name", "pod"),
            _label(f"{_META}_label_taskservice_dev_name", "taskservice"),
            _label(f"{_META}_label_taskservice_dev_revision", "revision"),
            _label(f"{_META}_label_taskservice_dev_colour", "colour"),
        ],
        "metric_relabel_configs": [{"action": "labeldrop", "regex": f"exported_({ours})"}],
    }


def _operator() -> Json:
    """The operator's pods, whose series name the TaskService that they are about."""
    return {
        "job_name": catalog.JOB_OPERATOR,
        "honor_labels": True,
        "relabel_configs": [
            _keep(f"{_META}_label_app_kubernetes_io_name", "taskservice-operator"),
            _keep(f"{_META}_container_port_name", "metrics"),
            _label(f"{_META}_name", "pod"),
        ],
    }


def _rabbitmq() -> Json:
    return {
        "job_name": catalog.JOB_RABBITMQ,
        "relabel_configs": [
            _keep(f"{_META}_container_port_number", "15692"),
            _label("__meta_kubernetes_namespace", "namespace"),
            _label(f"{_META}_name", "pod"),
        ],
    }


def _keeper() -> Json:
    """Whoever unseals Vault and makes backups."""
    return {
        "job_name": catalog.JOB_KEEPER,
        "relabel_configs": [
            _keep("__meta_kubernetes_namespace", "secrets"),
            _keep(f"{_META}_container_port_name", "metrics"),
            _label(f"{_META}_name", "pod"),
        ],
    }


def _keep(source: str | list[str], regex: str) -> Json:
    return {"action": "keep", "source_labels": [source] if isinstance(source, str) else source, "regex": regex}


def _label(source: str, target: str) -> Json:
    return {"source_labels": [source], "target_label": target}
