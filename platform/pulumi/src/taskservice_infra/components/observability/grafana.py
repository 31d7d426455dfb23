"""Dashboards and data sources as ConfigMaps that Grafana's sidecars take up, whoever installed that Grafana."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of

NAME = "taskservice-dashboards"


class GrafanaContentArgs(Args):
    """``dashboards``: JSON by file name; ``datasources``: the provisioning file."""

    namespace: str
    dashboards: dict[str, str]
    datasources: str


class GrafanaContent(pulumi.ComponentResource):
    """One ConfigMap per dashboard, as each may grow, and one for the data sources."""

    def __init__(self, name: str, args: GrafanaContentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:GrafanaContent", name, None, opts)
        for file, text in args.dashboards.items():
            self._config_map(args.namespace, file.removesuffix(".json"), "grafana_dashboard", {file: text})
        self._config_map(
            args.namespace, "taskservice-datasources", "grafana_datasource", {"datasources.yaml": args.datasources}
        )
        self.register_outputs({})

    def _config_map(self, namespace: str, name: str, label: str, data: dict[str, str]) -> None:
        ConfigMap(
            name,
            metadata={"name": name, "namespace": namespace, "labels": {**workloads.labels(NAME), label: "1"}},
            data=data,
            opts=child_of(self),
        )
