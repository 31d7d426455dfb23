"""Publishing a project's outputs and reading another's, by their contract.

A contract is a frozen dataclass whose fields are ``Output[T]``; ``PROJECT`` names the project that publishes it, and
``SECRET`` the fields that the engine encrypts and never shows.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

import pulumi
from pydantic import TypeAdapter, ValidationError

from taskservice_infra.errors import PlatformError

ORGANIZATION = "organization"
"""The only one that a backend of files or buckets has."""


class Contract(Protocol):
    """Any contract."""

    PROJECT: ClassVar[str]
    SECRET: ClassVar[frozenset[str]]
    __dataclass_fields__: ClassVar[dict[str, Any]]


C = TypeVar("C", bound=Contract)


def publish(contract: Contract) -> None:
    """Make the fields the outputs of the stack whose program runs."""
    for field in dataclasses.fields(contract):
        value = getattr(contract, field.name)
        pulumi.export(field.name, pulumi.Output.secret(value) if field.name in contract.SECRET else value)


def read(contract: type[C], key: str | None = None) -> C:
    """The outputs of the contract's project, in the stack of the same name; ``key``: the setting that asks for them.

    An output that is absent, or not of its type, fails the run with a PlatformError.
    """
    asked = f"Pulumi.{pulumi.get_stack()}.yaml: {key}: " if key else ""
    name = f"{ORGANIZATION}/{contract.PROJECT}/{pulumi.get_stack()}"
    stack = pulumi.StackReference(name)
    hints = typing.get_type_hints(contract)
    fields = {
        field.name: stack.get_output(field.name).apply(_checked(contract, field.name, hints[field.name], asked))
        for field in dataclasses.fields(contract)
    }
    return contract(**fields)


def _checked(contract: type[Contract], name: str, hint: Any, asked: str) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(typing.get_args(hint)[0])

    def checked(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError:
            raise PlatformError(
                f"{asked}Project {contract.PROJECT} has no output {name!r} that can be used: run `up` for it first."
            ) from None

    return checked
