"""The way of logs and traces, and where they are kept: a collector on each node, Loki, Jaeger, Alertmanager.

A line of a pod is read by the node's collector, taken apart, and kept with its trace id as structured metadata: found
by it without an index of every trace.  Spans come by OTLP to the same collector and go on to Jaeger.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

OTLP_GRPC, OTLP_HTTP, LOKI_PORT, JAEGER_QUERY = 4317, 4318, 3100, 16686
LABELS = ("namespace", "taskservice", "revision", "pod", "container")
"""What Loki indexes of a line; everything else, the trace id above all, is structured metadata."""

_POD_LABELS = {"taskservice": "taskservice.dev/name", "revision": "taskservice.dev/revision"}


def collector(*, loki: str, jaeger: str, include: str = "/var/log/pods/*/*/*.log", kubernetes: bool = True) -> Json:
    """The collector's configuration.

    ``loki`` is an address with scheme, ``jaeger`` host and port of OTLP over gRPC.  ``include``: the files to read.
    Without ``kubernetes`` lines are those of processes: no container runtime wraps them, and no API server is asked.
    """
    enrich = ["k8sattributes"] if kubernetes else []
    processors: Json = {
        "memory_limiter": {"check_interval": "1s", "limit_mib": 200, "spike_limit_mib": 50},
        "batch": {"timeout": "1s", "send_batch_size": 1024},
    }
    if kubernetes:
        processors["k8sattributes"] = {
            "auth_type": "serviceAccount",
            "filter": {"node_from_env_var": "NODE_NAME"},
            "extract": {
                "metadata": ["k8s.namespace.name", "k8s.pod.name", "k8s.container.name"],
                "labels": [{"tag_name": name, "key": key, "from": "pod"} for name, key in _POD_LABELS.items()],
            },
            "pod_association": [
                {"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]},
                {"sources": [{"from": "connection"}]},
            ],
        }
    return {
        "extensions": {"health_check": {"endpoint": "0.0.0.0:13133"}},
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"0.0.0.0:{OTLP_GRPC}"},
                    "http": {"endpoint": f"0.0.0.0:{OTLP_HTTP}"},
                }
            },
            "filelog": {
                "include": [include],
                # The collector's own lines would feed themselves.
                "exclude": ["/var/log/pods/*_otel-collector*_*/*/*.log"],
                "start_at": "beginning",
                "include_file_path": True,
                "include_file_name": False,
                "operators": _operators(kubernetes),
            },
        },
        "processors": processors,
        "exporters": {
            "otlphttp/loki": {"endpoint": f"{loki}/otlp", "tls": {"insecure": True}},
            "otlp/jaeger": {"endpoint": jaeger, "tls": {"insecure": True}},
        },
        "service": {
            "extensions": ["health_check"],
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                "logs": {
                    "receivers": ["filelog"],
                    "processors": ["memory_limiter", *enrich, "batch"],
                    "exporters": ["otlphttp/loki"],
                },
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", *enrich, "batch"],
                    "exporters": ["otlp/jaeger"],
                },
            },
        },
    }


def _operators(kubernetes: bool) -> list[Json]:
    """From a line of a file to a record: container runtime off, JSON taken apart, time, severity and trace found."""
    unwrapped: list[Json] = [{"type": "container", "id": "container"}] if kubernetes else []
    is_json = 'body matches "^{.*}$"'
    found = "attributes.trace_id != nil and attributes.span_id != nil"
    return [
        *unwrapped,
        {"type": "json_parser", "id": "fields", "if": is_json, "parse_from": "body", "parse_to": "attributes"},
        {
            "type": "severity_parser",
            "id": "severity",
            "if": "attributes.level != nil",
            "parse_from": "attributes.level",
        },
        {
            "type": "trace_parser",
            "id": "trace",
            "if": found,
            "trace_id": {"parse_from": "attributes.trace_id"},
            "span_id": {"parse_from": "attributes.span_id"},
        },
    ]


def loki(*, folder: str = "/var/loki", port: int = LOKI_PORT, host: str = "0.0.0.0") -> Json:  # noqa: S104 — of its pod
    """One Loki that keeps everything in a folder, for a week."""
    return {
        "auth_enabled": False,
        "server": {"http_listen_address": host, "http_listen_port": port, "grpc_listen_port": 0, "log_level": "warn"},
        "common": {
            "path_prefix": folder,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}, "instance_addr": "127.0.0.1"},
            "storage": {"filesystem": {"chunks_directory": f"{folder}/chunks", "rules_directory": f"{folder}/rules"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2025-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "limits_config": {
            "allow_structured_metadata": True,
            "retention_period": "168h",
            "otlp_config": {
                "resource_attributes": {
                    "ignore_defaults": True,
                    "attributes_config": [
                        {
                            "action": "index_label",
                            "attributes": [
                                "taskservice", "revision", "k8s.namespace.name", "k8s.pod.name", "k8s.container.name",
                                "service.name",
                            ],
                        }
                    ],
                }
            },
        },
        "compactor": {
            "working_directory": f"{folder}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        "analytics": {"reporting_enabled": False},
    }  # fmt: skip


def jaeger(*, traces: int = 50_000, host: str = "0.0.0.0", query: int = JAEGER_QUERY, otlp: int = OTLP_GRPC) -> Json:  # noqa: S104
    """One Jaeger that keeps the newest ``traces`` in memory."""
    return {
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"{host}:13133"}},
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": f"{host}:{query}"},
                "grpc": {"endpoint": f"{host}:{query + 1}"},
            },
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": traces}}}},
        },
        "receivers": {
            "otlp": {
                "protocols": {"grpc": {"endpoint": f"{host}:{otlp}"}, "http": {"endpoint": f"{host}:{otlp + 1}"}}
            }
        },
        "processors": {"batch": {"timeout": "1s"}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
        "service": {
            "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["jaeger_storage_exporter"]}
            },
        },
    }  # fmt: skip


def alertmanager(*, receiver: str | None = None) -> Json:
    """Alerts by urgency to one receiver, the watchdog apart: it belongs to whoever notices its silence.

    ``receiver``: the address of a webhook; without one alerts are shown and sent nowhere.
    """
    hooks = [{"url": receiver, "send_resolved": True}] if receiver else []
    return {
        "route": {
            "receiver": "people",
            "group_by": ["alertname", "namespace", "taskservice"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                {"matchers": ['alertname="Watchdog"'], "receiver": "watchdog", "repeat_interval": "5m"},
                {
                    "matchers": ['severity="critical"'],
                    "receiver": "people",
                    "group_wait": "10s",
                    "repeat_interval": "4h",
                },
            ],
        },
        # What wakes somebody silences the ticket about the same thing.
        "inhibit_rules": [
            {
                "source_matchers": ['severity="critical"'],
                "target_matchers": ['severity="warning"'],
                "equal": ["namespace", "taskservice", "slo"],
            }
        ],
        "receivers": [{"name": "people", "webhook_configs": hooks}, {"name": "watchdog", "webhook_configs": hooks}],
    }
