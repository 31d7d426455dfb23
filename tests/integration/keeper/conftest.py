"""The keeper on real parts: a Vault, an API server that reviews tokens, three mongod; each ended by its process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client import CoreV1Api

from taskservice_keeper import cluster
from taskservice_keeper.vault.desired import Desired
from taskservice_local.controlplane import ControlPlane
from taskservice_local.errors import LocalError
from testkit.account_tokens import token
from testkit.key_store import MemoryKeyStore
from testkit.mongod import PartUnavailable, ReplicaSet
from testkit.raft_vault import RaftVault

REVIEWER = "reviewer"
ACCOUNTS = ("auth", "tasks")


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("controlplane")
    try:
        with ControlPlane(folder) as running:
            yield running
    except LocalError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def kubernetes(control_plane: ControlPlane) -> CoreV1Api:
    """The API with the accounts of two services, of snapshots, and of one that may review tokens."""
    api = cluster.connect(control_plane.kubeconfig)
    for namespace, accounts in {"apps": ACCOUNTS, "secrets": ("vault-snapshots", REVIEWER)}.items():
        api.create_namespace({"metadata": {"name": namespace}})
        for account in accounts:
            api.create_namespaced_service_account(namespace, {"metadata": {"name": account}})
    binding = {
        "metadata": {"name": REVIEWER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": REVIEWER, "namespace": "secrets"}],
    }
    client.RbacAuthorizationV1Api(api.api_client).create_cluster_role_binding(binding)
    return api


@pytest.fixture
def desired(control_plane: ControlPlane, kubernetes: CoreV1Api, tmp_path: Path) -> Desired:
    reviewer = tmp_path / "reviewer-token"
    reviewer.write_text(token(kubernetes, "secrets", REVIEWER))
    return Desired.model_validate(
        {
            "kubernetes_host": control_plane.url,
            "kubernetes_ca_file": str(control_plane.pki / "ca.crt"),
            "reviewer_token_file": str(reviewer),
            "snapshots": ["secrets", "vault-snapshots"],
            "services": [{"namespace": "apps", "service_account": account} for account in ACCOUNTS],
            "secrets": {
                "taskservices/apps/auth": {
                    "TASKSERVICE_JWT_PRIVATE_KEY": {"kind": "ed25519"},
                    "TASKSERVICE_DIRECTORY_TOKEN": {"kind": "text", "text": "${platform/directory#token}"},
                },
                "taskservices/apps/tasks": {
                    "TASKSERVICE_DIRECTORY_TOKEN": {"kind": "text", "text": "${platform/directory#token}"}
                },
                "platform/directory": {"token": {"kind": "password", "length": 48}},
            },
        }
    )


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[RaftVault]:
    try:
        with RaftVault(tmp_path / "vault") as running:
            yield running
    except PartUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    try:
        with ReplicaSet(tmp_path_factory.mktemp("mongo")) as running:
            yield running
    except PartUnavailable as reason:
        pytest.skip(str(reason))
