"""The rules as a pack of Pulumi's policy engine: ``pulumi preview --policy-pack platform/pulumi/policy-pack``.

Needs the package ``pulumi-policy``, so nothing else imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import (
    UNKNOWN_ARCHIVE_VALUE,
    UNKNOWN_ARRAY_VALUE,
    UNKNOWN_ASSET_VALUE,
    UNKNOWN_BOOLEAN_VALUE,
    UNKNOWN_NUMBER_VALUE,
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
    UnknownValueError,
)

from taskservice_infra.policy.catalogue import RULES, is_exempt
from taskservice_infra.policy.model import UNKNOWN, Environment, Resource, Rule

UNKNOWNS = frozenset(
    {
        UNKNOWN_ARCHIVE_VALUE,
        UNKNOWN_ARRAY_VALUE,
        UNKNOWN_ASSET_VALUE,
        UNKNOWN_BOOLEAN_VALUE,
        UNKNOWN_NUMBER_VALUE,
        UNKNOWN_OBJECT_VALUE,
        UNKNOWN_STRING_VALUE,
    }
)


def plain(node: Any) -> Any:
    """The engine's proxies as dicts and lists, with :data:`UNKNOWN` where a value is not known yet."""
    if isinstance(node, Mapping):
        return {key: _element(node, key) for key in node}
    if isinstance(node, str):
        return UNKNOWN if node in UNKNOWNS else node
    if hasattr(node, "__len__") and hasattr(node, "__getitem__"):
        return [_element(node, index) for index in range(len(node))]
    return node


def _element(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def stack_of(urn: str) -> str:
    """``urn:pulumi:production::data::…`` → ``production``."""
    return urn.split("::", 1)[0].rsplit(":", 1)[-1]


def as_policy(rule: Rule) -> ResourceValidationPolicy:
    """One rule as a mandatory policy.  The environment is read from the resource's URN."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Resource(args.resource_type, args.name, plain(args.props))
        if Environment.of_stack(stack_of(args.urn)) in rule.environments and not is_exempt(rule, resource):
            for message in rule.check(resource):
                report(message, None)

    return ResourceValidationPolicy(
        name=rule.name, description=rule.summary, validate=validate, enforcement_level=EnforcementLevel.MANDATORY
    )


def serve() -> None:
    """Answer the engine until it ends this process."""
    PolicyPack(name="taskservice", policies=[as_policy(rule) for rule in RULES])
