"""The rules without a policy engine: every resource is asked before the engine registers it.

``make up`` and ``make preview`` run programs without Pulumi's policy engine, which is not part of the CLI that this
machine builds.  A transform sees each resource first, of whatever provider, and can refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.output import Unknown
from pulumi.runtime import rpc

from taskservice_infra.errors import PlatformError
from taskservice_infra.policy.catalogue import check
from taskservice_infra.policy.model import UNKNOWN, Environment, Resource

FROM_A_CHART = ":"
"""In the name of what a chart renders to (``vault:secrets/vault``), and in no other.

The chart's version and values, which are asked, fix what that is.
"""


class BrokenPolicy(PlatformError):
    """A resource that no stack of this environment may contain."""


def enforce(stack: str) -> None:
    """Refuse, from here on in the program that runs, what breaks a rule.  Raises BrokenPolicy within the engine."""
    environment = Environment.of_stack(stack)

    def ask(args: pulumi.ResourceTransformArgs) -> None:
        if FROM_A_CHART not in args.name:
            refuse(Resource(args.type_, args.name, known(args.props)), environment)

    pulumi.runtime.register_resource_transform(ask)


def refuse(resource: Resource, environment: Environment) -> None:
    """Return when the resource breaks no rule.  Raises BrokenPolicy with every sentence otherwise."""
    violations = check([resource], environment)
    if violations:
        told = [str(violation) for violation in violations]
        raise BrokenPolicy("\n".join([*told, "Which rules there are, and how to exempt: docs/environments/policy.md."]))


def known(node: Any) -> Any:
    """What a transform is given as plain values: secrets as what they hold, UNKNOWN for what is not known yet."""
    node = rpc.unwrap_rpc_secret(node)
    if isinstance(node, Unknown | pulumi.Output):
        return UNKNOWN
    if isinstance(node, Mapping):
        return {key: known(value) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str | bytes):
        return [known(value) for value in node]
    return node
