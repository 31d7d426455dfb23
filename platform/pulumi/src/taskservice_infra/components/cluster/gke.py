"""A Kubernetes cluster on GKE: private nodes, Secrets under a key of ours, pods with identities of their own."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp import container, kms, projects, serviceaccount

from taskservice_infra.components.cluster.exec_kubeconfig import gke_tokens, kubeconfig
from taskservice_infra.components.cluster.gke_key import GkeKey, GkeKeyArgs
from taskservice_infra.components.cluster.gke_network import PODS, SERVICES, GkeNetwork, GkeNetworkArgs
from taskservice_infra.components.cluster.gke_nodes import GkeNodes, GkeNodesArgs
from taskservice_infra.components.cluster.unseal import Unseal
from taskservice_infra.components.cluster.volume_class import VolumeClass, VolumeClassArgs
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import ServiceAccount
from taskservice_infra.config.gke import GkeCluster

LOGS = ["SYSTEM_COMPONENTS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER", "WORKLOADS"]
NODE_ROLES = ("roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader")
"""All that a node itself may do: write logs and metrics, and fetch images."""


class GkeArgs(Args):
    """``cluster``: its settings; ``labels``: of everything that can have them."""

    cluster: GkeCluster
    labels: dict[str, str]


class Gke(pulumi.ComponentResource):
    """``kubeconfig``, ``context``: how to reach it, with tokens by gcloud's plugin; ``unseal``: see :data:`Unseal`."""

    kubeconfig: pulumi.Output[str]
    context: pulumi.Output[str]
    unseal: pulumi.Output[Unseal]

    def __init__(self, name: str, args: GkeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:Gke", name, None, opts)
        cluster = args.cluster
        self._cluster, self._labels = cluster, args.labels
        project = gcp.Provider(
            f"{cluster.name}-gcp", project=cluster.project, region=cluster.region, opts=child_of(self)
        )
        self._within = pulumi.ResourceOptions(parent=self, provider=project)
        number = gcp.organizations.get_project_output(
            project_id=cluster.project, opts=pulumi.InvokeOutputOptions(parent=self, provider=project)
        ).number
        ring = kms.KeyRing(
            cluster.name,
            name=cluster.name,
            location=cluster.region,
            opts=pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(protect=True)),
        )
        key = self._key(
            cluster.name,
            ring,
            {
                "gke": number.apply("serviceAccount:service-{0}@container-engine-robot.iam.gserviceaccount.com".format),
                "disks": number.apply("serviceAccount:service-{0}@compute-system.iam.gserviceaccount.com".format),
            },
        )
        network = GkeNetwork(cluster.name, GkeNetworkArgs(cluster=cluster), self._within)
        control_plane = self._control_plane(key, network)
        self._nodes(control_plane, network, key)
        self.context = control_plane.name
        self.kubeconfig = pulumi.Output.all(
            control_plane.name, control_plane.endpoint, control_plane.master_auth.cluster_ca_certificate
        ).apply(lambda found: kubeconfig(found[0], f"https://{found[1]}", found[2], gke_tokens()))
        VolumeClass(
            cluster.name,
            VolumeClassArgs(
                kubeconfig=self.kubeconfig,
                provisioner="pd.csi.storage.gke.io",
                parameters={"type": "pd-balanced", "disk-encryption-kms-key": key.key_id},
                after=(control_plane,),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.unseal = self._unseal(ring, number, control_plane)
        self.register_outputs({"kubeconfig": self.kubeconfig, "context": self.context, "unseal": self.unseal})

    def _key(self, name: str, ring: kms.KeyRing, users: dict[str, str | pulumi.Output[str]]) -> GkeKey:
        return GkeKey(name, GkeKeyArgs(ring=ring.id, users=users, labels=self._labels), self._within)

    def _control_plane(self, key: GkeKey, network: GkeNetwork) -> container.Cluster:
        cluster = self._cluster
        private = cluster.api_access == "private"
        return container.Cluster(
            cluster.name,
            name=cluster.name,
            project=cluster.project,
            location=cluster.region,
            node_locations=list(cluster.zones),
            min_master_version=cluster.version,
            release_channel=container.ClusterReleaseChannelArgs(channel=cluster.release_channel),
            # Pools are resources of their own; the one that every cluster is born with goes at once.
            initial_node_count=1,
            remove_default_node_pool=True,
            network=network.network_id,
            subnetwork=network.subnetwork_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
                cluster_secondary_range_name=PODS, services_secondary_range_name=SERVICES
            ),
            private_cluster_config=container.ClusterPrivateClusterConfigArgs(
                enable_private_nodes=True,
                enable_private_endpoint=private,
                master_ipv4_cidr_block=str(cluster.addresses.control_plane),
            ),
            master_authorized_networks_config=container.ClusterMasterAuthorizedNetworksConfigArgs(
                gcp_public_cidrs_access_enabled=False,
                cidr_blocks=[
                    container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(cidr_block=str(source))
                    for source in (cluster.authorized_networks or (cluster.addresses.nodes,))
                ],
            ),
            # eBPF data plane: NetworkPolicies are enforced without another agent.
            datapath_provider="ADVANCED_DATAPATH",
            enable_intranode_visibility=True,
            database_encryption=container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=key.key_id),
            workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(
                workload_pool=f"{cluster.project}.svc.id.goog"
            ),
            authenticator_groups_config=container.ClusterAuthenticatorGroupsConfigArgs(
                security_group=cluster.administrators_group
            )
            if cluster.administrators_group
            else None,
            enable_legacy_abac=False,
            enable_shielded_nodes=True,
            master_auth=container.ClusterMasterAuthArgs(
                client_certificate_config=container.ClusterMasterAuthClientCertificateConfigArgs(
                    issue_client_certificate=False
                )
            ),
            logging_config=container.ClusterLoggingConfigArgs(enable_components=LOGS),
            security_posture_config=container.ClusterSecurityPostureConfigArgs(mode="BASIC"),
            deletion_protection=cluster.deletion_protection,
            resource_labels=self._labels,
            opts=pulumi.ResourceOptions.merge(
                self._within,
                pulumi.ResourceOptions(
                    depends_on=[*key.grants, network.way_out],
                    # The channel raises the version on its own; going back is not possible anyway.
                    ignore_changes=["nodeConfig", "nodeVersion"],
                ),
            ),
        )

    def _nodes(self, control_plane: container.Cluster, network: GkeNetwork, key: GkeKey) -> None:
        cluster = self._cluster
        account = serviceaccount.Account(
            f"{cluster.name}-nodes",
            account_id=_account_id(cluster.name, "nodes"),
            display_name=f"Nodes of {cluster.name}",
            project=cluster.project,
            opts=self._within,
        )
        granted = [
            projects.IAMMember(
                f"{cluster.name}-nodes-{role.rsplit('.', 1)[-1]}",
                project=cluster.project,
                role=role,
                member=account.email.apply("serviceAccount:{}".format),
                opts=self._within,
            )
            for role in NODE_ROLES
        ]
        for pool in cluster.node_pools:
            GkeNodes(
                f"{cluster.name}-{pool.name}",
                GkeNodesArgs(
                    cluster_name=control_plane.name,
                    region=cluster.region,
                    project=cluster.project,
                    zones=cluster.zones,
                    account=account.email,
                    key_id=key.key_id,
                    pool=pool,
                    labels=self._labels,
                ),
                pulumi.ResourceOptions.merge(
                    self._within, pulumi.ResourceOptions(depends_on=[*granted, *key.grants, network.way_out])
                ),
            )

    def _unseal(
        self, ring: kms.KeyRing, number: pulumi.Output[str], control_plane: container.Cluster
    ) -> pulumi.Output[Unseal]:
        """A key for the store of secrets alone: its ServiceAccount is a principal of Google's by itself."""
        cluster = self._cluster
        name = f"{cluster.name}-unseal"
        # The pool of principals is there once a cluster with Workload Identity is.
        member = pulumi.Output.all(number, control_plane.id).apply(
            lambda found: principal(found[0], cluster.project, cluster.unseal)
        )
        key = self._key(name, ring, {"vault": member})
        # Vault looks at the key before it uses it, which encrypting does not cover.
        kms.CryptoKeyIAMMember(
            f"{name}-viewer", crypto_key_id=key.key_id, role="roles/cloudkms.viewer", member=member, opts=self._within
        )
        return key.key_id.apply(
            lambda _: {
                "seal": {
                    "kind": "gcpckms",
                    "project": cluster.project,
                    "region": cluster.region,
                    "keyRing": cluster.name,
                    "key": name,
                }
            }
        )


def principal(number: str, project: str, account: ServiceAccount) -> str:
    """A Kubernetes ServiceAccount as IAM knows it (cloud.google.com, Workload Identity Federation for GKE)."""
    pool = f"projects/{number}/locations/global/workloadIdentityPools/{project}.svc.id.goog"
    return f"principal://iam.googleapis.com/{pool}/subject/ns/{account.namespace}/sa/{account.name}"


def _account_id(cluster: str, purpose: str) -> str:
    """Google allows thirty characters, so a long cluster's name is cut."""
    return f"{cluster[: 29 - len(purpose)].rstrip('-')}-{purpose}"
