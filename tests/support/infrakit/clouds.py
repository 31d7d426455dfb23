"""Settings of cloud clusters that are as they should be, and a run of their components on an engine that records."""

from __future__ import annotations

import base64
from typing import Any

SERVER = "https://api.example"
AUTHORITY = "Q0VSVElGSUNBVEU="
GUID = "11111111-2222-3333-4444-555555555555"

COMMON: dict[str, Any] = {
    "name": "taskservice-test",
    "version": "1.35",
    "nodePools": [
        {"name": "general", "size": "m7i.large", "minimum": 3, "maximum": 9},
        {
            "name": "batch",
            "size": "m7i.xlarge",
            "minimum": 0,
            "maximum": 6,
            "spot": True,
            "taints": [{"key": "taskservice.dev/spot", "value": "true"}],
        },
    ],
}


def _sized(first: str, second: str) -> list[dict[str, Any]]:
    pools = COMMON["nodePools"]
    return [{**pools[0], "size": first}, {**pools[1], "size": second}]


def eks(**changes: Any) -> dict[str, Any]:
    """``cluster:kubernetes`` of a stack on EKS."""
    return {
        **COMMON,
        "provider": "eks",
        "accountId": "123456789012",
        "region": "us-east-1",
        "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "administrators": ["arn:aws:iam::123456789012:role/platform"],
        **changes,
    }


def gke(**changes: Any) -> dict[str, Any]:
    """``cluster:kubernetes`` of a stack on GKE."""
    return {
        **COMMON,
        "provider": "gke",
        "project": "taskservice-test",
        "region": "us-central1",
        "zones": ["us-central1-a", "us-central1-b", "us-central1-c"],
        "nodePools": _sized("e2-standard-2", "e2-standard-4"),
        **changes,
    }


def aks(**changes: Any) -> dict[str, Any]:
    """``cluster:kubernetes`` of a stack on AKS."""
    return {
        **COMMON,
        "provider": "aks",
        "subscriptionId": GUID,
        "tenantId": GUID,
        "location": "eastus",
        "zones": ["1", "2", "3"],
        "administratorGroups": [GUID],
        "nodePools": _sized("Standard_D2s_v5", "Standard_D4s_v5"),
        **changes,
    }


_CREDENTIALS = f"""
clusters: [{{name: c, cluster: {{server: '{SERVER}', certificate-authority-data: {AUTHORITY}}}}}]
users: [{{name: u, user: {{exec: {{command: kubelogin}}}}}}]
"""
CALLS: dict[str, dict[str, Any]] = {
    "gcp:organizations/getProject:getProject": {"number": "42", "projectId": "taskservice-test"},
    "azure-native:containerservice:listManagedClusterUserCredentials": {
        "kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(_CREDENTIALS.encode()).decode()}]
    },
}
"""What the clouds answer when they are asked."""

COMPUTED: dict[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {"endpoint": SERVER, "certificateAuthority": {"data": AUTHORITY}, "arn": "arn:eks"},
    "aws:eks/nodeGroup:NodeGroup": {"nodeGroupName": "group"},
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:kms/key:Key": {"arn": "arn:aws:kms:us-east-1:123456789012:key/1", "keyId": "key-1"},
    "aws:iam/role:Role": {"arn": "arn:aws:iam::123456789012:role/made", "name": "made"},
    "aws:cloudwatch/logGroup:LogGroup": {"arn": "arn:aws:logs:us-east-1:123456789012:log-group:made"},
    "gcp:container/cluster:Cluster": {
        "endpoint": SERVER.removeprefix("https://"),
        "masterAuth": {"clusterCaCertificate": AUTHORITY, "clientCertificateConfig": {"issueClientCertificate": False}},
    },
    "gcp:serviceaccount/account:Account": {"email": "nodes@taskservice-test.iam.gserviceaccount.com"},
    "azure-native:containerservice:ManagedCluster": {
        "name": "taskservice-test",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {}},
        "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example/"},
    },
    "azure-native:resources:ResourceGroup": {"name": "group"},
    "azure-native:network:VirtualNetwork": {"name": "network"},
    "azure-native:keyvault:Vault": {"name": "vault", "vaultUri": "https://vault.example"},
    "azure-native:keyvault:Key": {"keyUriWithVersion": "https://vault.example/keys/etcd/1"},
    "azure-native:managedidentity:UserAssignedIdentity": {
        "name": "identity",
        "principalId": "principal",
        "clientId": "client",
    },
}
"""What the clouds add to a resource once it is made, by its type."""
