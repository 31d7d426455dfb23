"""The network of an EKS cluster: nodes in private subnets, one way out, flow logs, no default group that lets in."""

from __future__ import annotations

import json

import pulumi
from pulumi_aws import cloudwatch, ec2, iam

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.addresses import ZoneRanges, by_zone
from taskservice_infra.config.eks import EksCluster


class EksNetworkArgs(Args):
    """``key_arn``: encrypts the flow logs; ``tags``: of everything."""

    cluster: EksCluster
    key_arn: pulumi.Output[str]
    tags: dict[str, str]


class EksNetwork(pulumi.ComponentResource):
    """``private_subnets``: of nodes, pods and internal load balancers, one per zone."""

    vpc_id: pulumi.Output[str]
    private_subnets: list[pulumi.Output[str]]
    ways_out: list[pulumi.Resource]
    """What nodes need to reach anything: they must exist before the first node."""

    def __init__(self, name: str, args: EksNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:EksNetwork", name, None, opts)
        self._name = name
        self._tags = args.tags
        cluster = args.cluster
        vpc = ec2.Vpc(
            name,
            cidr_block=str(cluster.addresses.network),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._named(name),
            opts=child_of(self),
        )
        self.vpc_id = vpc.id
        # The default group lets all its members reach each other; taking it over without rules empties it.
        ec2.DefaultSecurityGroup(
            f"{name}-default", vpc_id=vpc.id, tags=self._named(f"{name}-default"), opts=child_of(self)
        )
        gateway = ec2.InternetGateway(name, vpc_id=vpc.id, tags=self._named(name), opts=child_of(self))
        outward = ec2.RouteTable(
            f"{name}-public",
            vpc_id=vpc.id,
            routes=[ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)],
            tags=self._named(f"{name}-public"),
            opts=child_of(self),
        )
        self.private_subnets, self.ways_out = [], []
        nat: ec2.NatGateway | None = None
        for ranges in by_zone(cluster.addresses.network, cluster.zones):
            public = self._subnet("public", ranges, str(ranges.public), "elb")
            self._routed(f"{name}-public-{ranges.zone}", public, outward)
            if nat is None or cluster.high_availability:
                nat = self._nat(ranges.zone, public, gateway)
            private = self._subnet("private", ranges, str(ranges.private), "internal-elb")
            table = ec2.RouteTable(
                f"{name}-private-{ranges.zone}",
                vpc_id=vpc.id,
                routes=[ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)],
                tags=self._named(f"{name}-private-{ranges.zone}"),
                opts=child_of(self),
            )
            self.ways_out.append(self._routed(f"{name}-private-{ranges.zone}", private, table))
            self.private_subnets.append(private.id)
        self._flow_logs(args)
        # Images and logs take the short way to S3: it costs nothing, and NAT does.
        ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{cluster.region}.s3",
            vpc_endpoint_type="Gateway",
            tags=self._named(f"{name}-s3"),
            opts=child_of(self),
        )
        self.register_outputs({"vpc_id": self.vpc_id, "private_subnets": self.private_subnets})

    def _named(self, name: str) -> dict[str, str]:
        return {**self._tags, "Name": name}

    def _subnet(self, side: str, ranges: ZoneRanges, cidr: str, balancers: str) -> ec2.Subnet:
        name = f"{self._name}-{side}-{ranges.zone}"
        return ec2.Subnet(
            name,
            vpc_id=self.vpc_id,
            availability_zone=ranges.zone,
            cidr_block=cidr,
            map_public_ip_on_launch=False,
            tags={**self._named(name), f"kubernetes.io/role/{balancers}": "1"},
            opts=child_of(self),
        )

    def _routed(self, name: str, subnet: ec2.Subnet, table: ec2.RouteTable) -> ec2.RouteTableAssociation:
        return ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=child_of(self))

    def _nat(self, zone: str, subnet: ec2.Subnet, gateway: ec2.InternetGateway) -> ec2.NatGateway:
        name = f"{self._name}-nat-{zone}"
        address = ec2.Eip(name, domain="vpc", tags=self._named(name), opts=child_of(self, depends_on=[gateway]))
        return ec2.NatGateway(
            name,
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags=self._named(name),
            opts=child_of(self, depends_on=[gateway]),
        )

    def _flow_logs(self, args: EksNetworkArgs) -> None:
        name = f"{self._name}-flows"
        group = cloudwatch.LogGroup(
            name,
            name=f"/aws/vpc/{args.cluster.name}/flows",
            retention_in_days=args.cluster.log_retention_days,
            kms_key_id=args.key_arn,
            tags=self._tags,
            opts=child_of(self),
        )
        role = iam.Role(
            name,
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                            "Condition": {"StringEquals": {"aws:SourceAccount": args.cluster.account_id}},
                        }
                    ],
                }
            ),
            tags=self._tags,
            opts=child_of(self),
        )
        iam.RolePolicy(
            name,
            role=role.id,
            policy=group.arn.apply(
                lambda arn: json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                                "Resource": [f"{arn}:*"],
                            }
                        ],
                    }
                )
            ),
            opts=child_of(self),
        )
        ec2.FlowLog(
            name,
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=self._named(name),
            opts=child_of(self),
        )
