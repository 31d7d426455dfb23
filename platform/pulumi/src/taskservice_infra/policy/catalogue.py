"""The rules in force, who is exempt, and how to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from taskservice_infra.policy.encryption import unencrypted
from taskservice_infra.policy.exposure import open_api_endpoint, open_load_balancer, public_database, public_node
from taskservice_infra.policy.identity import wildcard_grant
from taskservice_infra.policy.model import (
    CLOUD,
    EVERYWHERE,
    PRODUCTION,
    Environment,
    Exemption,
    Resource,
    Rule,
    Violation,
)
from taskservice_infra.policy.workloads import (
    chart_without_version,
    image_without_digest,
    privileged_pod,
    unlimited_resources,
)

RULES: Final = (
    Rule("no-public-database", "Nothing that keeps data can be reached from outside.", EVERYWHERE, public_database),
    Rule("no-wildcard-grant", "Grants name actions, resources and who gets them.", EVERYWHERE, wildcard_grant),
    Rule("encryption-on", "What is stored is encrypted, under a key of ours where we may choose.", CLOUD, unencrypted),
    Rule("images-by-digest", "What runs is what was tested: images are named by digest.", CLOUD, image_without_digest),
    Rule("charts-by-version", "Charts of a repository have one exact version.", EVERYWHERE, chart_without_version),
    Rule("resources-bounded", "Containers say what they need and when to stop.", EVERYWHERE, unlimited_resources),
    Rule("pods-restricted", "Pods have no rights over their node.", EVERYWHERE, privileged_pod),
    Rule("nodes-private", "Nodes have no address on the internet.", CLOUD, public_node),
    Rule("api-endpoint-restricted", "The Kubernetes API answers named networks.", CLOUD, open_api_endpoint),
    Rule("load-balancer-sources", "Load balancers take named networks.", PRODUCTION, open_load_balancer),
)

_BY_TAG = "Somebody else's image, pinned by its tag: no digest of it has been read yet; the stack file may name one."

#: What may break a rule, and why.  A new line here is a decision that a reviewer sees.
EXEMPTIONS: Final[tuple[Exemption, ...]] = (
    Exemption("images-by-digest", "kubernetes:helm.sh/v4:Chart::vault", _BY_TAG),
    Exemption("images-by-digest", "kubernetes:apps/v1:Deployment::ratelimit-redis", _BY_TAG),
    Exemption("images-by-digest", "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy::envoy-proxy", _BY_TAG),
    Exemption("images-by-digest", "kubernetes:helm.sh/v3:Release::envoy-gateway", _BY_TAG),
    Exemption("images-by-digest", "kubernetes:psmdb.percona.com/v1:PerconaServerMongoDB::mongodb", _BY_TAG),
    Exemption("images-by-digest", "kubernetes:redis.redis.opstreelabs.in/v1beta2:RedisReplication::redis", _BY_TAG),
    Exemption(
        "images-by-digest", "kubernetes:redis.redis.opstreelabs.in/v1beta2:RedisSentinel::redis-sentinel", _BY_TAG
    ),
    Exemption(
        "pods-restricted",
        "kubernetes:apps/v1:DaemonSet::otel-collector",
        "It reads, and only reads, the node's folder of logs, which belongs to root; in a namespace apart.",
    ),
)


def check(
    resources: Iterable[Resource],
    environment: Environment,
    rules: Iterable[Rule] = RULES,
    exemptions: Iterable[Exemption] = EXEMPTIONS,
) -> list[Violation]:
    """All violations, in the order of the resources."""
    in_force = [rule for rule in rules if environment in rule.environments]
    exempt = tuple(exemptions)
    return [
        Violation(rule.name, resource, message)
        for resource in resources
        for rule in in_force
        if not is_exempt(rule, resource, exempt)
        for message in rule.check(resource)
    ]


def is_exempt(rule: Rule, resource: Resource, exemptions: Iterable[Exemption] = EXEMPTIONS) -> bool:
    """Whether a line of the exemptions names this resource for this rule."""
    identity = f"{resource.type}::{resource.name}"
    return any(line.rule == rule.name and fnmatchcase(identity, line.resource) for line in exemptions)


def unused(resources: Iterable[Resource], exemptions: Iterable[Exemption] = EXEMPTIONS) -> Iterator[Exemption]:
    """Exemptions that no resource needs: they should go."""
    seen = list(resources)
    by_name = {rule.name: rule for rule in RULES}
    for line in exemptions:
        rule = by_name[line.rule]
        if not any(is_exempt(rule, resource, (line,)) and any(rule.check(resource)) for resource in seen):
            yield line
