"""A Kubernetes cluster on AKS: private nodes, Secrets under a key of ours, Entra ID for people and for pods."""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import pulumi_azure_native as azure
import yaml
from pulumi_azure_native import containerservice, monitor, operationalinsights, resources

from taskservice_infra.components.cluster.aks_identity import AksIdentity, AksIdentityArgs
from taskservice_infra.components.cluster.aks_network import AksNetwork, AksNetworkArgs
from taskservice_infra.components.cluster.aks_vault import AksVault, AksVaultArgs
from taskservice_infra.components.cluster.exec_kubeconfig import aks_tokens, kubeconfig
from taskservice_infra.components.cluster.unseal import Unseal
from taskservice_infra.components.cluster.volume_class import VolumeClass, VolumeClassArgs
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.aks import AksCluster
from taskservice_infra.config.cloud import NodePool

LOGS = (
    "kube-apiserver", "kube-audit-admin", "kube-controller-manager", "kube-scheduler", "cluster-autoscaler",
    "cloud-controller-manager", "guard",
)  # fmt: skip


class AksArgs(Args):
    """``cluster``: its settings; ``tags``: of everything that can have them."""

    cluster: AksCluster
    tags: dict[str, str]


class Aks(pulumi.ComponentResource):
    """``kubeconfig``, ``context``: how to reach it, with tokens by kubelogin; ``unseal``: see :data:`Unseal`."""

    kubeconfig: pulumi.Output[str]
    context: pulumi.Output[str]
    unseal: pulumi.Output[Unseal]

    def __init__(self, name: str, args: AksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:Aks", name, None, opts)
        cluster = args.cluster
        self._cluster, self._tags = cluster, args.tags
        subscription = azure.Provider(
            f"{cluster.name}-azure",
            subscription_id=cluster.subscription_id,
            tenant_id=cluster.tenant_id,
            location=cluster.location,
            opts=child_of(self),
        )
        self._provider = subscription
        self._within = pulumi.ResourceOptions(parent=self, provider=subscription)
        group = resources.ResourceGroup(cluster.name, location=cluster.location, tags=args.tags, opts=self._within)
        self._group = group.name
        network = AksNetwork(
            cluster.name, AksNetworkArgs(cluster=cluster, group=group.name, tags=args.tags), self._within
        )
        vault = AksVault(
            cluster.name,
            AksVaultArgs(cluster=cluster, group=group.name, nodes=network.nodes, tags=args.tags),
            self._within,
        )
        control_plane = self._control_plane(network, vault)
        for pool in cluster.node_pools[1:]:
            self._pool(control_plane, network, pool)
        self._logs(control_plane)
        self.context = control_plane.name
        self.kubeconfig = pulumi.Output.all(control_plane.name, self._credentials(control_plane)).apply(
            lambda found: with_token_program(found[0], found[1])
        )
        VolumeClass(
            cluster.name,
            VolumeClassArgs(
                kubeconfig=self.kubeconfig,
                provisioner="disk.csi.azure.com",
                # Azure encrypts every managed disk; in three copies over zones where there are zones to lose.
                parameters={
                    "skuName": "Premium_ZRS" if cluster.high_availability else "Premium_LRS",
                    "networkAccessPolicy": "DenyAll",
                },
                after=(control_plane,),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.unseal = self._unseal(control_plane, vault)
        self.register_outputs({"kubeconfig": self.kubeconfig, "context": self.context, "unseal": self.unseal})

    def _identity(self, purpose: str, rights: dict[str, tuple[str, pulumi.Output[str]]], **more: Any) -> AksIdentity:
        return AksIdentity(
            f"{self._cluster.name}-{purpose}",
            AksIdentityArgs(
                group=self._group,
                location=self._cluster.location,
                subscription_id=self._cluster.subscription_id,
                rights=rights,
                tags=self._tags,
                **more,
            ),
            self._within,
        )

    def _control_plane(self, network: AksNetwork, vault: AksVault) -> containerservice.ManagedCluster:
        cluster = self._cluster
        of_nodes = self._identity("nodes", {})
        identity = self._identity(
            "control-plane",
            {
                "network": ("Network Contributor", network.network_id),
                "key": ("Key Vault Crypto User", vault.keys["etcd"].id),
                "vault": ("Key Vault Contributor", vault.vault_id),
                "nodes": ("Managed Identity Operator", of_nodes.identity_id),
            },
        )
        private = cluster.api_access == "private"
        return containerservice.ManagedCluster(
            cluster.name,
            resource_group_name=self._group,
            resource_name_=cluster.name,
            location=cluster.location,
            kubernetes_version=cluster.version,
            dns_prefix=cluster.name,
            sku=containerservice.ManagedClusterSKUArgs(
                name=containerservice.ManagedClusterSKUName.BASE,
                tier=containerservice.ManagedClusterSKUTier.STANDARD
                if cluster.high_availability
                else containerservice.ManagedClusterSKUTier.FREE,
            ),
            identity=containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.USER_ASSIGNED,
                user_assigned_identities=[identity.identity_id],
            ),
            identity_profile={
                "kubeletidentity": containerservice.UserAssignedIdentityArgs(
                    resource_id=of_nodes.identity_id, client_id=of_nodes.client_id, object_id=of_nodes.principal_id
                )
            },
            agent_pool_profiles=[
                containerservice.ManagedClusterAgentPoolProfileArgs(
                    **_pool_settings(cluster.node_pools[0], cluster, network.nodes, mode="System"),
                    name=cluster.node_pools[0].name,
                )
            ],
            network_profile=containerservice.ContainerServiceNetworkProfileArgs(
                network_plugin=containerservice.NetworkPlugin.AZURE,
                network_plugin_mode=containerservice.NetworkPluginMode.OVERLAY,
                network_dataplane=containerservice.NetworkDataplane.CILIUM,
                network_policy=containerservice.NetworkPolicy.CILIUM,
                outbound_type=containerservice.OutboundType.USER_ASSIGNED_NAT_GATEWAY,
                load_balancer_sku=containerservice.LoadBalancerSku.STANDARD,
                pod_cidr=str(cluster.addresses.pods),
                service_cidr=str(cluster.addresses.services),
                dns_service_ip=str(cluster.addresses.dns_service),
            ),
            api_server_access_profile=containerservice.ManagedClusterAPIServerAccessProfileArgs(
                enable_private_cluster=private,
                enable_private_cluster_public_fqdn=False if private else None,
                private_dns_zone="system" if private else None,
                authorized_ip_ranges=None if private else [str(each) for each in cluster.authorized_networks],
                enable_vnet_integration=True,
                subnet_id=network.api_server,
                disable_run_command=True,
            ),
            security_profile=containerservice.ManagedClusterSecurityProfileArgs(
                azure_key_vault_kms=containerservice.AzureKeyVaultKmsArgs(
                    enabled=True,
                    key_id=vault.keys["etcd"].key_uri_with_version,
                    key_vault_network_access=containerservice.KeyVaultNetworkAccessTypes.PRIVATE,
                    key_vault_resource_id=vault.vault_id,
                ),
                workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
                image_cleaner=containerservice.ManagedClusterSecurityProfileImageCleanerArgs(
                    enabled=True, interval_hours=168
                ),
            ),
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            enable_rbac=True,
            disable_local_accounts=True,
            aad_profile=containerservice.ManagedClusterAADProfileArgs(
                managed=True,
                enable_azure_rbac=False,
                tenant_id=cluster.tenant_id,
                admin_group_object_ids=list(cluster.administrator_groups),
            ),
            auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel=containerservice.UpgradeChannel.PATCH,
                node_os_upgrade_channel=containerservice.NodeOSUpgradeChannel.NODE_IMAGE,
            ),
            tags=self._tags,
            opts=pulumi.ResourceOptions.merge(
                self._within,
                pulumi.ResourceOptions(
                    depends_on=[*identity.grants, *of_nodes.grants],
                    # The autoscaler moves the size between the bounds; the program does not move it back.
                    ignore_changes=["agentPoolProfiles[0].count"],
                    protect=cluster.deletion_protection,
                ),
            ),
        )

    def _pool(self, control_plane: containerservice.ManagedCluster, network: AksNetwork, pool: NodePool) -> None:
        containerservice.AgentPool(
            f"{self._cluster.name}-{pool.name}",
            resource_group_name=self._group,
            resource_name_=control_plane.name,
            agent_pool_name=pool.name,
            **_pool_settings(pool, self._cluster, network.nodes, mode="User"),
            opts=pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(ignore_changes=["count"])),
        )

    def _logs(self, control_plane: containerservice.ManagedCluster) -> None:
        workspace = operationalinsights.Workspace(
            self._cluster.name,
            resource_group_name=self._group,
            location=self._cluster.location,
            sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=self._cluster.log_retention_days,
            tags=self._tags,
            opts=self._within,
        )
        monitor.DiagnosticSetting(
            f"{self._cluster.name}-control-plane",
            resource_uri=control_plane.id,
            workspace_id=workspace.id,
            log_analytics_destination_type="Dedicated",
            logs=[monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in LOGS],
            opts=self._within,
        )

    def _credentials(self, control_plane: containerservice.ManagedCluster) -> pulumi.Output[str]:
        """What Azure gives to anybody who may see the cluster: its address and certificate authority, no token."""
        found = containerservice.list_managed_cluster_user_credentials_output(
            resource_group_name=self._group,
            resource_name=control_plane.name,
            opts=pulumi.InvokeOutputOptions(parent=self, provider=self._provider),
        )
        return found.kubeconfigs.apply(lambda files: base64.b64decode(files[0].value).decode())

    def _unseal(self, control_plane: containerservice.ManagedCluster, vault: AksVault) -> pulumi.Output[Unseal]:
        cluster = self._cluster
        identity = self._identity(
            "unseal",
            {"key": ("Key Vault Crypto User", vault.keys["unseal"].id)},
            service_account=cluster.unseal,
            issuer=control_plane.oidc_issuer_profile.apply(lambda profile: profile.issuer_url if profile else ""),
        )
        return pulumi.Output.all(vault.vault_name, identity.client_id).apply(
            lambda found: {
                "seal": {"kind": "azurekeyvault", "tenant": cluster.tenant_id, "vault": found[0], "key": "unseal"},
                "serviceAccountAnnotations": {"azure.workload.identity/client-id": found[1]},
            }
        )


def _pool_settings(pool: NodePool, cluster: AksCluster, subnet: pulumi.Output[str], *, mode: str) -> dict[str, Any]:
    """What the first pool, which is part of the cluster, and the others say in the same words."""
    spot = {"scale_set_priority": "Spot", "scale_set_eviction_policy": "Delete", "spot_max_price": -1.0}
    return {
        "mode": mode,
        "vm_size": pool.size,
        "count": max(pool.minimum, 1 if mode == "System" else 0),
        "min_count": pool.minimum,
        "max_count": pool.maximum,
        "enable_auto_scaling": True,
        "availability_zones": list(cluster.zones),
        "enable_node_public_ip": False,
        "enable_encryption_at_host": True,
        "os_type": "Linux",
        "os_sku": "AzureLinux",
        "os_disk_size_gb": pool.disk_gib,
        "type": "VirtualMachineScaleSets",
        "vnet_subnet_id": subnet,
        "node_labels": {"taskservice.dev/pool": pool.name, **pool.labels},
        "node_taints": [f"{taint.key}={taint.value}:{taint.effect}" for taint in pool.taints],
        "upgrade_settings": containerservice.AgentPoolUpgradeSettingsArgs(max_surge="33%"),
        "security_profile": containerservice.AgentPoolSecurityProfileArgs(
            # Virtual machines of these sizes that can start securely do.
            enable_secure_boot=True,
            enable_vtpm=True,
        ),
        **(spot if pool.spot else {}),
    }


def with_token_program(context: str, credentials: str) -> str:
    """Address and authority of Azure's kubeconfig, with kubelogin for tokens."""
    cluster = yaml.safe_load(credentials)["clusters"][0]["cluster"]
    return kubeconfig(context, cluster["server"], cluster["certificate-authority-data"], aks_tokens())
