"""Grafana's data sources, and the ways between them: exemplar to trace, trace to logs, log line to trace."""

from __future__ import annotations

from typing import Any

PROMETHEUS, LOKI, JAEGER = "taskservice-prometheus", "taskservice-loki", "taskservice-jaeger"
"""Uids, named only here and in what Grafana is provisioned with; dashboards have variables."""


def provisioning(namespace: str = "observability") -> dict[str, Any]:
    """The file for ``/etc/grafana/provisioning/datasources``; the parts are Services in ``namespace``."""

    def at(service: str, port: int) -> str:
        return f"http://{service}.{namespace}.svc:{port}"

    prometheus = {
        "name": "Prometheus",
        "uid": PROMETHEUS,
        "type": "prometheus",
        "access": "proxy",
        "url": at("prometheus", 9090),
        "isDefault": True,
        "jsonData": {
            "httpMethod": "POST",
            "timeInterval": "15s",
            "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": JAEGER}],
        },
    }
    loki = {
        "name": "Loki",
        "uid": LOKI,
        "type": "loki",
        "access": "proxy",
        "url": at("loki", 3100),
        "jsonData": {
            "derivedFields": [
                # trace_id is structured metadata, so it is matched as a label and needs no regular expression on lines.
                {
                    "name": "trace",
                    "matcherType": "label",
                    "matcherRegex": "trace_id",
                    "datasourceUid": JAEGER,
                    "url": "${__value.raw}",
                    "urlDisplayLabel": "Trace",
                }
            ]
        },
    }
    jaeger = {
        "name": "Jaeger",
        "uid": JAEGER,
        "type": "jaeger",
        "access": "proxy",
        "url": at("jaeger", 16686),
        "jsonData": {
            "tracesToLogsV2": {
                "datasourceUid": LOKI,
                "spanStartTimeShift": "-5m",
                "spanEndTimeShift": "5m",
                "customQuery": True,
                # Of every pod: the gateway's are of no TaskService.
                "query": '{k8s_namespace_name=~".+"} | trace_id="${__trace.traceId}"',
            },
            "nodeGraph": {"enabled": True},
        },
    }
    return {"apiVersion": 1, "datasources": [prometheus, loki, jaeger]}
