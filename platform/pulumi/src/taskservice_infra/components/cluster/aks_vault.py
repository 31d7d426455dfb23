"""The Key Vault of an AKS cluster, with one key for its Secrets and one that unseals the store of secrets."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import keyvault

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.aks import AksCluster

KEYS = ("etcd", "unseal")


class AksVaultArgs(Args):
    """``nodes``: the only subnet that reaches it."""

    cluster: AksCluster
    group: pulumi.Output[str]
    nodes: pulumi.Output[str]
    tags: dict[str, str]


class AksVault(pulumi.ComponentResource):
    """``keys``: by name, of :data:`KEYS`."""

    vault_id: pulumi.Output[str]
    vault_name: pulumi.Output[str]
    keys: dict[str, keyvault.Key]

    def __init__(self, name: str, args: AksVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:AksVault", name, None, opts)
        # Names of vaults are unique in the world: Pulumi adds eight characters of the twenty-four allowed.
        vault = keyvault.Vault(
            f"{name[:14].rstrip('-')}kv",
            resource_group_name=args.group,
            location=args.cluster.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.cluster.tenant_id,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=90,
                enable_purge_protection=True,
                network_acls=keyvault.NetworkRuleSetArgs(
                    default_action=keyvault.NetworkRuleAction.DENY,
                    bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES,
                    virtual_network_rules=[keyvault.VirtualNetworkRuleArgs(id=args.nodes)],
                ),
            ),
            tags=args.tags,
            opts=child_of(self),
        )
        self.keys = {
            purpose: keyvault.Key(
                f"{name}-{purpose}",
                resource_group_name=args.group,
                vault_name=vault.name,
                key_name=purpose,
                properties=keyvault.KeyPropertiesArgs(
                    kty=keyvault.JsonWebKeyType.RSA,
                    key_size=4096,
                    key_ops=["encrypt", "decrypt", "wrapKey", "unwrapKey"],
                ),
                tags=args.tags,
                opts=child_of(self),
            )
            for purpose in KEYS
        }
        self.vault_id, self.vault_name = vault.id, vault.name
        self.register_outputs({"vault_id": self.vault_id, "vault_name": self.vault_name})
