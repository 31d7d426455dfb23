"""A Kubernetes cluster on Amazon EKS: private nodes, Secrets under a key of ours, pods with roles of their own."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi_aws import cloudwatch, eks, iam

from taskservice_infra.components.cluster.eks_autoscaler import EksAutoscaler, EksAutoscalerArgs
from taskservice_infra.components.cluster.eks_key import USE, EksKey, EksKeyArgs
from taskservice_infra.components.cluster.eks_network import EksNetwork, EksNetworkArgs
from taskservice_infra.components.cluster.eks_nodes import EksNodes, EksNodesArgs
from taskservice_infra.components.cluster.eks_pod_role import EksPodRole, EksPodRoleArgs
from taskservice_infra.components.cluster.exec_kubeconfig import eks_tokens, kubeconfig
from taskservice_infra.components.cluster.unseal import Unseal
from taskservice_infra.components.cluster.volume_class import VolumeClass, VolumeClassArgs
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import ServiceAccount
from taskservice_infra.config.eks import EksCluster

LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""All that a node itself may do; what the network and the volumes take belongs to their own pods."""
ADMINISTRATOR = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
VIEWER = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


class EksArgs(Args):
    """``cluster``: its settings; ``tags``: of everything that can have them."""

    cluster: EksCluster
    tags: dict[str, str]


class Eks(pulumi.ComponentResource):
    """``kubeconfig``, ``context``: how to reach it, with tokens by the AWS CLI; ``unseal``: see :data:`Unseal`."""

    kubeconfig: pulumi.Output[str]
    context: pulumi.Output[str]
    unseal: pulumi.Output[Unseal]

    def __init__(self, name: str, args: EksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:Eks", name, None, opts)
        cluster = args.cluster
        self._cluster, self._tags = cluster, args.tags
        account = aws.Provider(
            f"{cluster.name}-aws",
            region=cluster.region,
            allowed_account_ids=[cluster.account_id],
            opts=child_of(self),
        )
        self._account = account
        self._within = pulumi.ResourceOptions(parent=self, provider=account)
        key = self._key(cluster.name, "Cluster: Secrets, disks, volumes, logs", service_logs=True, node_disks=True)
        network = EksNetwork(
            cluster.name,
            EksNetworkArgs(cluster=cluster, key_arn=key.arn, tags=args.tags),
            self._within,
        )
        control_plane = self._control_plane(key, network)
        early = [self._addon(control_plane, addon) for addon in ("eks-pod-identity-agent", "kube-proxy")]
        early.append(self._networking(control_plane))
        self._people(control_plane)
        pools = self._nodes(control_plane, network, key, early)
        for addon in ("coredns", "metrics-server"):
            self._addon(control_plane, addon, after=pools)
        driver = self._volumes(control_plane, key, pools)
        self.context = control_plane.name
        self.kubeconfig = pulumi.Output.all(
            control_plane.name, control_plane.endpoint, control_plane.certificate_authority.data
        ).apply(lambda found: kubeconfig(found[0], found[1], found[2], eks_tokens(found[0], cluster.region)))
        self._inside(control_plane, key, driver)
        self.unseal = self._unseal(control_plane)
        self.register_outputs({"kubeconfig": self.kubeconfig, "context": self.context, "unseal": self.unseal})

    def _key(self, name: str, description: str, **uses: bool) -> EksKey:
        cluster = self._cluster
        args = EksKeyArgs(
            account_id=cluster.account_id, region=cluster.region, description=description, tags=self._tags, **uses
        )
        return EksKey(name, args, self._within)

    def _role(self, name: str, service: str, policies: tuple[str, ...]) -> tuple[iam.Role, list[pulumi.Resource]]:
        statement = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": service}}
        role = iam.Role(
            name,
            assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            tags=self._tags,
            opts=self._within,
        )
        attached: list[pulumi.Resource] = [
            iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:aws:iam::aws:policy/{policy}",
                opts=self._within,
            )
            for policy in policies
        ]
        return role, attached

    def _after(self, *resources: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._within, pulumi.ResourceOptions(depends_on=list(resources), **options))

    def _control_plane(self, key: EksKey, network: EksNetwork) -> eks.Cluster:
        cluster = self._cluster
        role, attached = self._role(f"{cluster.name}-control-plane", "eks.amazonaws.com", ("AmazonEKSClusterPolicy",))
        # Made before the cluster: EKS would make it without a key and keep it for ever.
        logs = cloudwatch.LogGroup(
            f"{cluster.name}-control-plane",
            name=f"/aws/eks/{cluster.name}/cluster",
            retention_in_days=cluster.log_retention_days,
            kms_key_id=key.arn,
            tags=self._tags,
            opts=self._within,
        )
        restricted = cluster.api_access == "restricted"
        return eks.Cluster(
            cluster.name,
            name=cluster.name,
            version=cluster.version,
            role_arn=role.arn,
            vpc_config=eks.ClusterVpcConfigArgs(
                subnet_ids=network.private_subnets,
                endpoint_private_access=True,
                endpoint_public_access=restricted,
                public_access_cidrs=[str(each) for each in cluster.authorized_networks] if restricted else None,
            ),
            kubernetes_network_config=eks.ClusterKubernetesNetworkConfigArgs(
                service_ipv4_cidr=str(cluster.addresses.services)
            ),
            encryption_config=eks.ClusterEncryptionConfigArgs(
                provider=eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
            ),
            access_config=eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            bootstrap_self_managed_addons=False,
            enabled_cluster_log_types=LOGS,
            deletion_protection=cluster.deletion_protection,
            upgrade_policy=eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            zonal_shift_config=eks.ClusterZonalShiftConfigArgs(enabled=cluster.high_availability),
            tags=self._tags,
            opts=self._after(*attached, logs),
        )

    def _addon(
        self, control_plane: eks.Cluster, addon: str, *, after: list[pulumi.Resource] | None = None, **more: Any
    ) -> pulumi.Resource:
        return eks.Addon(
            f"{self._cluster.name}-{addon}",
            cluster_name=control_plane.name,
            addon_name=addon,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=self._tags,
            opts=self._after(*(after or [])),
            **more,
        )

    def _pod_role(self, control_plane: eks.Cluster, name: str, account: ServiceAccount, **rights: Any) -> EksPodRole:
        return EksPodRole(
            f"{self._cluster.name}-{name}",
            EksPodRoleArgs(
                cluster_name=control_plane.name,
                account_id=self._cluster.account_id,
                service_account=account,
                tags=self._tags,
                **rights,
            ),
            self._within,
        )

    def _networking(self, control_plane: eks.Cluster) -> pulumi.Resource:
        role = self._pod_role(
            control_plane,
            "vpc-cni",
            ServiceAccount(namespace="kube-system", name="aws-node"),
            managed=("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",),
        )
        settings = json.dumps({"enableNetworkPolicy": "true", "env": {"ENABLE_PREFIX_DELEGATION": "true"}})
        return self._addon(control_plane, "vpc-cni", after=[role.association], configuration_values=settings)

    def _people(self, control_plane: eks.Cluster) -> None:
        for policy, principals in ((ADMINISTRATOR, self._cluster.administrators), (VIEWER, self._cluster.viewers)):
            for principal in principals:
                name = f"{self._cluster.name}-{principal.rsplit('/', 1)[-1]}"
                entry = eks.AccessEntry(
                    name,
                    cluster_name=control_plane.name,
                    principal_arn=principal,
                    tags=self._tags,
                    opts=self._within,
                )
                eks.AccessPolicyAssociation(
                    name,
                    cluster_name=control_plane.name,
                    principal_arn=entry.principal_arn,
                    policy_arn=policy,
                    access_scope=eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                    opts=self._within,
                )

    def _nodes(
        self, control_plane: eks.Cluster, network: EksNetwork, key: EksKey, early: list[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        cluster = self._cluster
        role, attached = self._role(f"{cluster.name}-nodes", "ec2.amazonaws.com", NODE_POLICIES)
        return [
            EksNodes(
                f"{cluster.name}-{pool.name}",
                EksNodesArgs(
                    cluster_name=control_plane.name,
                    version=cluster.version,
                    role_arn=role.arn,
                    subnets=network.private_subnets,
                    key_arn=key.arn,
                    pool=pool,
                    tags=self._tags,
                ),
                self._after(*attached, *early, *network.ways_out),
            )
            for pool in cluster.node_pools
        ]

    def _volumes(self, control_plane: eks.Cluster, key: EksKey, pools: list[pulumi.Resource]) -> pulumi.Resource:
        role = self._pod_role(
            control_plane,
            "ebs-csi",
            ServiceAccount(namespace="kube-system", name="ebs-csi-controller-sa"),
            managed=("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",),
            statements=key.arn.apply(volume_statements),
        )
        return self._addon(control_plane, "aws-ebs-csi-driver", after=[*pools, role.association])

    def _inside(self, control_plane: eks.Cluster, key: EksKey, driver: pulumi.Resource) -> None:
        cluster = self._cluster
        volumes = VolumeClass(
            cluster.name,
            VolumeClassArgs(
                kubeconfig=self.kubeconfig,
                provisioner="ebs.csi.aws.com",
                parameters={"type": "gp3", "encrypted": "true", "kmsKeyId": key.arn},
                after=(driver,),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        EksAutoscaler(
            cluster.name,
            EksAutoscalerArgs(
                cluster_name=control_plane.name,
                name=cluster.name,
                account_id=cluster.account_id,
                region=cluster.region,
                tags=self._tags,
            ),
            pulumi.ResourceOptions(parent=self, providers=[self._account, volumes.inside], depends_on=[driver]),
        )

    def _unseal(self, control_plane: eks.Cluster) -> pulumi.Output[Unseal]:
        name = f"{self._cluster.name}-unseal"
        key = self._key(name, "Unseals the store of secrets")
        self._pod_role(control_plane, "unseal", self._cluster.unseal, statements=key.arn.apply(unseal_statements))
        return key.key_id.apply(lambda key: {"seal": {"kind": "awskms", "region": self._cluster.region, "key": key}})


def volume_statements(key_arn: str) -> list[dict[str, Any]]:
    """What the volumes' driver may do with the key: encrypt volumes, and hand it to the machines that mount them."""
    granted = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        {"Sid": "Encrypt", "Effect": "Allow", "Action": USE, "Resource": [key_arn]},
        {"Sid": "Mount", "Effect": "Allow", "Action": ["kms:CreateGrant"], "Resource": [key_arn], "Condition": granted},
    ]


def unseal_statements(key_arn: str) -> list[dict[str, Any]]:
    """What unsealing takes (developer.hashicorp.com, seal "awskms")."""
    actions = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]
    return [{"Sid": "Unseal", "Effect": "Allow", "Action": actions, "Resource": [key_arn]}]
