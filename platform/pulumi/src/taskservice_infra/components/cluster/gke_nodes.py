"""A pool of GKE nodes: private, shielded, encrypted disks, pods see their own identity and not the node's."""

from __future__ import annotations

import pulumi
from pulumi_gcp import container

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import NodePool

EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}


class GkeNodesArgs(Args):
    """``account``: the nodes' service account; ``key_id``: of their disks."""

    cluster_name: pulumi.Output[str]
    region: str
    zones: tuple[str, ...]
    account: pulumi.Output[str]
    key_id: pulumi.Output[str]
    pool: NodePool
    labels: dict[str, str]
    project: str


class GkeNodes(pulumi.ComponentResource):
    """``pool_name``: of the node pool."""

    pool_name: pulumi.Output[str]

    def __init__(self, name: str, args: GkeNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:GkeNodes", name, None, opts)
        pool = args.pool
        made = container.NodePool(
            name,
            name=pool.name,
            cluster=args.cluster_name,
            location=args.region,
            project=args.project,
            node_locations=list(args.zones),
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=pool.minimum,
                total_max_node_count=pool.maximum,
                location_policy="ANY" if pool.spot else "BALANCED",
            ),
            network_config=container.NodePoolNetworkConfigArgs(enable_private_nodes=True),
            management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
            upgrade_settings=container.NodePoolUpgradeSettingsArgs(max_surge=1, max_unavailable=0),
            node_config=container.NodePoolNodeConfigArgs(
                machine_type=pool.size,
                image_type="COS_CONTAINERD",
                disk_size_gb=pool.disk_gib,
                disk_type="pd-balanced",
                boot_disk_kms_key=args.key_id,
                spot=pool.spot,
                service_account=args.account,
                # What the account may do is said by its roles alone.
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                labels={"taskservice.dev/pool": pool.name, **pool.labels},
                taints=[
                    container.NodePoolNodeConfigTaintArgs(
                        key=taint.key, value=taint.value, effect=EFFECTS[taint.effect]
                    )
                    for taint in pool.taints
                ],
                workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
                shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                ),
                metadata={"disable-legacy-endpoints": "true"},
                resource_labels=args.labels,
            ),
            opts=child_of(self, ignore_changes=["initialNodeCount", "nodeCount"]),
        )
        self.pool_name = made.name
        self.register_outputs({"pool_name": self.pool_name})
