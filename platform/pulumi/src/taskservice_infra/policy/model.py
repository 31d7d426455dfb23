"""What a rule sees and says."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class Unknown(enum.Enum):
    """The value of a property that is known only once another resource exists.  No rule refuses what it cannot see."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class Environment(enum.Enum):
    """How strict to be.  A stack of any other name than ``local…`` or ``production…`` counts as staging."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"

    @classmethod
    def of_stack(cls, stack: str) -> Environment:
        for environment in (cls.LOCAL, cls.PRODUCTION):
            if stack == environment.value or stack.startswith(f"{environment.value}-"):
                return environment
        return cls.STAGING


EVERYWHERE: Final = frozenset(Environment)
CLOUD: Final = frozenset({Environment.STAGING, Environment.PRODUCTION})
PRODUCTION: Final = frozenset({Environment.PRODUCTION})


@dataclass(frozen=True)
class Resource:
    """A resource as it is about to be registered.

    ``type`` is Pulumi's token (``aws:eks/cluster:Cluster``, ``kubernetes:apps/v1:Deployment``); ``properties`` are its
    inputs under the provider's own names (camelCase).
    """

    type: str
    name: str
    properties: Mapping[str, Any]

    def at(self, path: str) -> Any:
        """The value at a dotted path, None where a step is absent, :data:`UNKNOWN` below what is not known yet."""
        return value_at(self.properties, path)

    @property
    def kind(self) -> str:
        """The last part of the token: ``Deployment``."""
        return self.type.rsplit(":", 1)[-1]

    @property
    def package(self) -> str:
        """The first part of the token: ``aws``, ``kubernetes``."""
        return self.type.split(":", 1)[0]


Check = Callable[[Resource], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """``check`` yields a sentence per fault: what is wrong, where, what to do."""

    name: str
    summary: str
    environments: frozenset[Environment]
    check: Check


@dataclass(frozen=True)
class Exemption:
    """A resource that may break a rule, and why.  ``resource`` is a shell pattern over ``<type>::<name>``."""

    rule: str
    resource: str
    reason: str


@dataclass(frozen=True)
class Violation:
    rule: str
    resource: Resource
    message: str

    def __str__(self) -> str:
        return f"{self.resource.type} {self.resource.name!r}: {self.message} [{self.rule}]"


def value_at(node: Any, path: str) -> Any:
    """See :meth:`Resource.at`; a step into a list takes its first element (providers wrap single blocks in lists)."""
    for step in path.split("."):
        if node is UNKNOWN:
            return UNKNOWN
        if isinstance(node, Sequence) and not isinstance(node, str):
            node = node[0] if node else None
        if not isinstance(node, Mapping):
            return None
        node = node.get(step)
    return node


def entries(node: Any) -> Sequence[Any]:
    """A list property as a sequence: empty where it is absent or not known."""
    if isinstance(node, Sequence) and not isinstance(node, str):
        return node
    return () if node is None or node is UNKNOWN else (node,)


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a tree with its dotted path, the outer ones first."""
    yield path, node
    children: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, Mapping):
        children = node.items()
    elif isinstance(node, Sequence) and not isinstance(node, str):
        children = enumerate(node)
    for key, child in children:
        yield from walk(child, f"{path}.{key}" if path else str(key))
