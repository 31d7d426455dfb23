"""Reading settings, out of a stack file or as the engine gives them, and saying what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pulumi
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from taskservice_infra.errors import BadConfiguration, PlatformError

ENCRYPTED = "(encrypted: only the engine can read what it is)"
"""Stands for the value of a secret where only the engine can read it; as long as any secret has to be."""

MISSING_SEED = (
    "seed: is missing, the secret from which passwords are derived: "
    'pulumi config set --secret {project}:seed "$(openssl rand -base64 32)"'
)


class Settings(BaseModel):
    """Part of a stack file: named in camelCase there, unknown names are refused, defaults are what production takes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    def needs(self) -> dict[str, str]:
        """The projects whose outputs these settings ask for besides the cluster's, and the key that does."""
        return {}


S = TypeVar("S", bound=Settings)


def parse(model: type[S], project: str, stack: str, values: Mapping[str, Any]) -> S:
    """The settings of a project; ``values`` by key without the project.  Raises BadConfiguration."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as problem:
        errors = problem.errors(include_url=False, include_context=True)
        place = f"Pulumi.{stack}.yaml: {project}:"
        raise BadConfiguration([f"{place}{_sentence(model, error, values)}" for error in errors]) from None


def from_engine(model: type[S], project: str) -> S:
    """The settings of the project whose program runs.  Raises BadConfiguration.

    Secrets arrive decrypted: fields that hold one are ``SecretStr``, and become Outputs marked secret before they
    reach a resource.
    """
    prefix = f"{project}:"
    given: Mapping[str, str] = pulumi.runtime.config.CONFIG.get()
    values = {key.removeprefix(prefix): _decoded(text) for key, text in given.items() if key.startswith(prefix)}
    return parse(model, project, pulumi.get_stack(), values)


def from_file(model: type[S], project: str, file: Path) -> S:
    """The settings that a stack file holds, secrets standing as ``ENCRYPTED``.

    Raises BadConfiguration for what it says, PlatformError when it cannot be read.
    """
    return parse(model, project, stack_of(file), read(project, file))


def read(project: str, file: Path) -> dict[str, Any]:
    """What a stack file sets for a project, by key.  Raises PlatformError when it cannot be read."""
    try:
        found = yaml.safe_load(file.read_text()) or {}
        config = found.get("config") or {}
        return {
            key.removeprefix(f"{project}:"): _without_secrets(value)
            for key, value in config.items()
            if key.startswith(f"{project}:")
        }
    except FileNotFoundError:
        raise PlatformError(f"There is no {file}: copy Pulumi.production.yaml beside it and change it.") from None
    except (yaml.YAMLError, AttributeError) as problem:
        raise PlatformError(f"{file} is not a stack file: {problem}") from None


def stack_of(file: Path) -> str:
    """The stack that a file ``Pulumi.<stack>.yaml`` is of."""
    return file.name.removeprefix("Pulumi.").removesuffix(".yaml")


def _decoded(text: str) -> Any:
    # Only mappings and lists are JSON; a number may be meant as a version.
    return json.loads(text) if text[:1] in {"{", "["} else text


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            return ENCRYPTED
        return {key: _without_secrets(each) for key, each in value.items()}
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value


def _sentence(model: type[BaseModel], error: ErrorDetails, values: Mapping[str, Any]) -> str:
    kind, context, given = error["type"], error.get("ctx") or {}, error.get("input")
    key = _key(error["loc"], values, keep_last=kind in {"missing", "extra_forbidden"})
    if kind == "union_tag_invalid":
        return f"{key}.provider: {context['tag']!r} is not known; use one of {_listed(context['expected_tags'])}."
    if kind == "union_tag_not_found":
        return f"{key}.provider: is missing."
    if kind == "missing":
        return f"{key}: is missing."
    if kind == "extra_forbidden":
        return f"{key}: is not a setting here; see taskservice_infra/config."
    message = error["msg"].removeprefix("Value error, ")
    if not key:  # a rule over several settings: its sentence begins with the one to change
        return f"{message}."
    shown = "" if kind == "value_error" or isinstance(given, (dict, list)) else f", not {given!r}"
    return f"{key}: {message}{shown}."


def _key(location: Sequence[str | int], values: Any, *, keep_last: bool) -> str:
    """``mongodb.members[0].host``: the location without the names of a union's members, which no file holds."""
    parts: list[str] = []
    here = values
    for place, step in enumerate(location):
        last = place == len(location) - 1
        if isinstance(here, Mapping) and step in here:
            here = here[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            parts[-1] += f"[{step}]"
            here = here[step]
            continue
        elif not (last and keep_last):
            continue
        parts.append(str(step))
    return ".".join(parts)


def _listed(tags: str) -> str:
    return ", ".join(tag.strip(" '") for tag in tags.split(","))
