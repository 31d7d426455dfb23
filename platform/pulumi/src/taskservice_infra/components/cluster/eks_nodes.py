"""A pool of EKS nodes: private, encrypted disks, no way from a pod to the node's own credentials."""

from __future__ import annotations

import pulumi
from pulumi_aws import ec2, eks

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import NodePool

EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}
ARM = frozenset("cmrtx")
"""Families that exist with AWS's own ARM processors (a ``g`` after the generation: ``m7g``)."""


class EksNodesArgs(Args):
    """``key_arn``: of the disks."""

    cluster_name: pulumi.Output[str]
    version: str
    role_arn: pulumi.Output[str]
    subnets: list[pulumi.Output[str]]
    key_arn: pulumi.Output[str]
    pool: NodePool
    tags: dict[str, str]


def image_type(size: str) -> str:
    """The node image of a size: Bottlerocket, which has no shell and is read-only, for its processor."""
    family = size.split(".", 1)[0]
    generation = family.lstrip("abcdefghijklmnopqrstuvwxyz")
    arm = family[0] in ARM and "g" in generation.strip("0123456789-")
    return "BOTTLEROCKET_ARM_64" if arm else "BOTTLEROCKET_x86_64"


class EksNodes(pulumi.ComponentResource):
    """``group_name``: of the managed node group."""

    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: EksNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:EksNodes", name, None, opts)
        pool = args.pool
        disk = ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            encrypted="true", kms_key_id=args.key_arn, volume_size=pool.disk_gib, volume_type="gp3",
            delete_on_termination="true",
        )  # fmt: skip
        system_disk = ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            encrypted="true", kms_key_id=args.key_arn, volume_size=4, volume_type="gp3", delete_on_termination="true"
        )
        template = ec2.LaunchTemplate(
            name,
            # Bottlerocket keeps its system on the first disk, images and containers on the second.
            block_device_mappings=[
                ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/xvda", ebs=system_disk),
                ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/xvdb", ebs=disk),
            ],
            metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            tag_specifications=[
                ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags={**args.tags, "Name": name})
                for kind in ("instance", "volume")
            ],
            update_default_version=True,
            tags=args.tags,
            opts=child_of(self),
        )
        group = eks.NodeGroup(
            name,
            cluster_name=args.cluster_name,
            version=args.version,
            node_role_arn=args.role_arn,
            subnet_ids=args.subnets,
            instance_types=[pool.size],
            ami_type=image_type(pool.size),
            capacity_type="SPOT" if pool.spot else "ON_DEMAND",
            launch_template=eks.NodeGroupLaunchTemplateArgs(id=template.id, version=template.latest_version.apply(str)),
            scaling_config=eks.NodeGroupScalingConfigArgs(
                min_size=pool.minimum, max_size=pool.maximum, desired_size=max(pool.minimum, 1)
            ),
            update_config=eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            labels={"taskservice.dev/pool": pool.name, **pool.labels},
            taints=[
                eks.NodeGroupTaintArgs(key=taint.key, value=taint.value, effect=EFFECTS[taint.effect])
                for taint in pool.taints
            ],
            tags=args.tags,
            # The autoscaler moves the size between the bounds; the program does not move it back.
            opts=child_of(self, ignore_changes=["scalingConfig.desiredSize"]),
        )
        self.group_name = group.node_group_name
        self.register_outputs({"group_name": self.group_name})
