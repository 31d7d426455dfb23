"""What a Vault lacks, and in which order it is added. Pure: no clock, no network, no randomness, no value of a secret.

Two questions, because nobody can look into a Vault that is sealed: `opening` says how to get it open, `missing` says
what to add to an open one. Every prefix of what `missing` returns is safe: a killed bootstrap is finished by the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from taskservice_keeper.vault import policies
from taskservice_keeper.vault.desired import Desired, Text


class Opening(Enum):
    """What to do next with a Vault, before its contents count."""

    NOTHING = "it is open"
    INITIALIZE = "it is new: make its keys"
    UNSEAL = "it is sealed, and its keys are held"
    WAIT = "it is sealed, and opens itself"
    KEYS_LOST = "it is sealed, and nobody holds its keys"
    DATA_LOST = "it is empty, and keys of an earlier one are held"


@dataclass(frozen=True)
class SealView:
    """What can be seen of a Vault from outside, and whether its keys are held here."""

    initialized: bool
    sealed: bool
    keys_held: bool
    opens_itself: bool = False


def opening(view: SealView) -> Opening:
    """Say what comes next. Keys that are held are never overwritten: they may be all that opens a snapshot."""
    if not view.initialized:
        return Opening.DATA_LOST if view.keys_held else Opening.INITIALIZE
    if not view.sealed:
        return Opening.NOTHING
    if view.opens_itself:
        return Opening.WAIT
    return Opening.UNSEAL if view.keys_held else Opening.KEYS_LOST


@dataclass(frozen=True)
class Observed:
    """What an open Vault holds: names and settings, and of secrets the names of fields."""

    engines: Mapping[str, str] = field(default_factory=dict)  # path -> type, kv with its version: kv2
    auth_methods: Mapping[str, str] = field(default_factory=dict)
    audit_devices: frozenset[str] = frozenset()
    kubernetes_host: str | None = None
    policies: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)  # KV path -> names of fields
    stale: frozenset[tuple[str, str]] = frozenset()  # (KV path, field) that no longer say what they quote


@dataclass(frozen=True)
class Step:
    """One change: what kind, of what, and the settings it takes. `str()` is the line that tells of it."""

    kind: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


ENABLE_AUDIT = "enable audit device"
ENABLE_ENGINE = "enable secrets engine"
ENABLE_AUTH = "enable auth method"
CONFIGURE_KUBERNETES = "configure auth method"
WRITE_POLICY = "write policy"
WRITE_ROLE = "write role"
WRITE_SECRET = "write secret"  # noqa: S105 - the kind of a step
REMOVE_ROLE = "remove role"
REMOVE_POLICY = "remove policy"


class CannotBe(Exception):
    """Something of another kind is where a part should be; the text says what to do."""


def missing(desired: Desired, observed: Observed) -> tuple[Step, ...]:
    """Return what to do, in order; nothing when the Vault is as it should be.

    Raises CannotBe when a mount of another type is in the way: removing it would lose what it holds.
    """
    return (
        *_devices(desired, observed),
        *_engines(desired, observed),
        *_access(desired, observed),
        *_secrets(desired, observed),
        *_leftovers(desired, observed),
    )


def _devices(desired: Desired, observed: Observed) -> list[Step]:
    # First: what follows is then on record.
    return [Step(ENABLE_AUDIT, "stdout")] if desired.audit and "stdout" not in observed.audit_devices else []


def _engines(desired: Desired, observed: Observed) -> list[Step]:
    there = _there(observed.engines, desired.kv_mount, "kv2", "secrets engine")
    return [] if there else [Step(ENABLE_ENGINE, desired.kv_mount)]


def _access(desired: Desired, observed: Observed) -> list[Step]:
    steps: list[Step] = []
    if not _there(observed.auth_methods, desired.auth_mount, "kubernetes", "auth method"):
        steps.append(Step(ENABLE_AUTH, desired.auth_mount))
    if observed.kubernetes_host != desired.kubernetes_host:
        steps.append(Step(CONFIGURE_KUBERNETES, desired.auth_mount, {"kubernetes_host": desired.kubernetes_host}))
    # A policy before the role that gives it to somebody.
    steps += [Step(WRITE_POLICY, name, {"policy": text}) for name, text in policies.policies(desired).items()
              if observed.policies.get(name) != text]  # fmt: skip
    steps += [Step(WRITE_ROLE, name, settings) for name, settings in policies.roles(desired).items()
              if not _equal(settings, observed.roles.get(name))]  # fmt: skip
    return steps


def _secrets(desired: Desired, observed: Observed) -> list[Step]:
    """Fields that are absent, and texts that no longer say what they quote. What was made by chance is never replaced.

    Texts come last: they quote other fields.
    """
    made, composed = [], []
    for path, fields in desired.secrets.items():
        present = {name for name in observed.fields.get(path, ()) if (path, name) not in observed.stale}
        absent = {name: recipe for name, recipe in fields.items() if name not in present}
        plain = {name: recipe for name, recipe in absent.items() if not isinstance(recipe, Text)}
        texts = {name: recipe for name, recipe in absent.items() if isinstance(recipe, Text)}
        made += [Step(WRITE_SECRET, path, plain)] if plain else []
        composed += [Step(WRITE_SECRET, path, texts)] if texts else []
    return [*made, *composed]


def _leftovers(desired: Desired, observed: Observed) -> list[Step]:
    """Access of services that are gone: only what bears our mark. A role goes before its policy."""
    kept = policies.policies(desired)
    gone = sorted(name for name, text in observed.policies.items() if text.startswith(policies.MARK)
                  and name not in kept)  # fmt: skip
    roles = [Step(REMOVE_ROLE, name) for name in gone if name in observed.roles]
    return [*roles, *(Step(REMOVE_POLICY, name) for name in gone)]


def _there(found: Mapping[str, str], path: str, kind: str, what: str) -> bool:
    present = found.get(path)
    if present not in (None, kind):
        raise CannotBe(
            f"The {what} at {path}/ is of type {present}, not {kind}. Choose another mount in the stack file, or"
            f" disable that one if nothing in it is needed."
        )
    return present == kind


def _equal(settings: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether every setting is as wanted; Vault returns more of them than were given."""
    return found is not None and all(found.get(name) == value for name, value in settings.items())
