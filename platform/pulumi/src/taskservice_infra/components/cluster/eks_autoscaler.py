"""The autoscaler of an EKS cluster's node groups: it adds nodes for pods without a place, and takes idle ones away."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from taskservice_infra.components.cluster.eks_pod_role import EksPodRole, EksPodRoleArgs
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import ServiceAccount

AUTOSCALER_CHART = "9.59.1"
AUTOSCALER = ServiceAccount(namespace="kube-system", name="cluster-autoscaler")


class EksAutoscalerArgs(Args):
    """``name``: of the cluster, by which its groups are tagged."""

    cluster_name: pulumi.Output[str]
    name: str
    account_id: str
    region: str
    tags: dict[str, str]


def autoscaler_statements(name: str) -> list[dict[str, Any]]:
    """Reading all groups, which AWS cannot restrict, and changing those that carry the cluster's tag."""
    return [
        {
            "Sid": "See",
            "Effect": "Allow",
            "Action": [
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeLaunchConfigurations",
                "autoscaling:DescribeScalingActivities",
                "autoscaling:DescribeTags",
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:GetInstanceTypesFromInstanceRequirements",
                "eks:DescribeNodegroup",
            ],
            "Resource": ["*"],
        },
        {
            "Sid": "Scale",
            "Effect": "Allow",
            "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            "Resource": ["*"],
            "Condition": {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{name}": "owned"}},
        },
    ]


def autoscaler_values(name: str, region: str) -> dict[str, Any]:
    """Values of the chart: found by tag, restricted pods, two of them with one leader."""
    return {
        "autoDiscovery": {"clusterName": name},
        "awsRegion": region,
        "replicaCount": 2,
        "rbac": {"serviceAccount": {"name": AUTOSCALER.name}},
        "extraArgs": {"balance-similar-node-groups": True, "skip-nodes-with-system-pods": False},
        "resources": {"requests": {"cpu": "100m", "memory": "300Mi"}, "limits": {"memory": "600Mi"}},
        "priorityClassName": "system-cluster-critical",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "runAsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containerSecurityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


class EksAutoscaler(pulumi.ComponentResource):
    """A role of its own and the release of the chart; the component's providers are of AWS and of the cluster."""

    def __init__(self, name: str, args: EksAutoscalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:EksAutoscaler", name, None, opts)
        role = EksPodRole(
            f"{name}-autoscaler",
            EksPodRoleArgs(
                cluster_name=args.cluster_name,
                account_id=args.account_id,
                service_account=AUTOSCALER,
                statements=autoscaler_statements(args.name),
                tags=args.tags,
            ),
            child_of(self),
        )
        kubernetes.helm.v3.Release(
            f"{name}-autoscaler",
            name=AUTOSCALER.name,
            namespace=AUTOSCALER.namespace,
            chart="cluster-autoscaler",
            version=AUTOSCALER_CHART,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo="https://kubernetes.github.io/autoscaler"),
            values=autoscaler_values(args.name, args.region),
            opts=child_of(self, depends_on=[role.association]),
        )
        self.register_outputs({})
