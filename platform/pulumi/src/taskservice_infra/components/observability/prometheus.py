"""Prometheus for one machine, with a sidecar that finds pods and the rules of TaskServices for it.

The rules and the configuration are those that ``observability/`` generates.
"""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.observability.standing import CONFIG, DATA, Part, stand
from taskservice_infra.config.observability import MetricsLocal as Settings

NAME = "prometheus"
PORT = 9090
RULES, SHARED = "/etc/prometheus/rules", "/var/lib/prometheus-sidecar"


class PrometheusArgs(Args):
    """``configuration``: with marks for the two addresses; ``rules``: rule files by name; ``sidecar``: its program."""

    namespace: str
    settings: Settings
    image: str
    sidecar_image: str
    configuration: str
    rules: dict[str, str]
    sidecar: str
    grafana_url: str
    runbooks_url: str


class Prometheus(pulumi.ComponentResource):
    """``url``: its address in the cluster."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:Prometheus", name, None, opts)
        account = self._account(args.namespace)
        rules = ConfigMap(
            f"{NAME}-rules",
            metadata={"name": f"{NAME}-rules", "namespace": args.namespace, "labels": workloads.labels(NAME)},
            data=args.rules,
            opts=child_of(self),
        )
        configuration = args.configuration.replace("@GRAFANA@", args.grafana_url).replace(
            "@RUNBOOKS@", args.runbooks_url
        )
        part = Part(
            name=NAME,
            namespace=args.namespace,
            image=args.image,
            memory=args.settings.memory,
            # The rules stand here too, so that a change of them restarts the pod.
            files={"prometheus.yml": configuration, "sidecar.py": args.sidecar, **args.rules},
            arguments=(
                f"--config.file={CONFIG}/prometheus.yml",
                f"--storage.tsdb.path={DATA}",
                f"--storage.tsdb.retention.time={args.settings.retention}",
                "--enable-feature=exemplar-storage",
                "--web.enable-lifecycle",
                f"--web.listen-address=0.0.0.0:{PORT}",
            ),
            ports={"web": PORT},
            ready=("/-/ready", "web"),
            account=NAME,
            sidecars=(_sidecar(args.sidecar_image),),
            volumes=(
                {"name": "rules", "configMap": {"name": f"{NAME}-rules"}},
                {"name": "shared", "emptyDir": {}},
            ),
            mounts=(
                {"name": "rules", "mountPath": RULES, "readOnly": True},
                {"name": "shared", "mountPath": SHARED, "readOnly": True},
            ),
            after=(rules, *account),
        )
        server = stand(self, part)
        self.url = server.id.apply(lambda _: f"http://{NAME}.{args.namespace}.svc.cluster.local:{PORT}")
        self.register_outputs({"url": self.url})

    def _account(self, namespace: str) -> list[pulumi.Resource]:
        """An account that reads pods and ConfigMaps, and nothing else."""
        labels = workloads.labels(NAME)
        account = ServiceAccount(
            NAME, metadata={"name": NAME, "namespace": namespace, "labels": labels}, opts=child_of(self)
        )
        role = ClusterRole(
            f"taskservice-{NAME}",
            metadata={"name": f"taskservice-{NAME}", "labels": labels},
            rules=[{"api_groups": [""], "resources": ["pods", "configmaps"], "verbs": ["get", "list"]}],
            opts=child_of(self),
        )
        binding = ClusterRoleBinding(
            f"taskservice-{NAME}",
            metadata={"name": f"taskservice-{NAME}", "labels": labels},
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"taskservice-{NAME}"},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
            opts=child_of(self, depends_on=[account, role]),
        )
        return [account, binding]


def _sidecar(image: str) -> dict[str, object]:
    return {
        "name": "sidecar",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", f"{CONFIG}/sidecar.py", SHARED, f"http://127.0.0.1:{PORT}/-/reload"],
        "securityContext": workloads.container_security(),
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}},
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG, "readOnly": True},
            {"name": "shared", "mountPath": SHARED},
        ],
    }
