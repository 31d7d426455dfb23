"""The projects' stack files as they are in the repository, run on an engine that records.

What a repository must not hold is filled in: the secret seeds, and the images that a release publishes.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Mapping
from typing import Any

from infrakit.engine import Played, play
from infrakit.machine import FakeMachine
from taskservice_infra import contracts
from taskservice_infra.automation.projects import PROJECTS, Project
from taskservice_infra.config import settings as files
from taskservice_infra.passwords import new_seed

STACKS = ("local", "staging", "production")
PUBLISHED = "registry.example/taskservice/{}@sha256:" + "0123456789abcdef" * 4
SEED = new_seed()
OUTPUTS = {
    ("secrets", "services"): [["apps", "auth"], ["apps", "tasks"], ["apps", "worker"]],
    ("secrets", "keeper_image"): PUBLISHED.format("keeper"),
}
"""Outputs that a program looks into, by project and name."""


def settings_of(project: Project, stack: str, published: bool = True) -> dict[str, Any]:
    """What the project's file says for a stack, by key, with seeds, and with published images in a cloud."""
    values = copy.deepcopy(files.read(project.name, project.stack_file(stack)))
    if "seed" in project.settings.model_fields:
        values["seed"] = SEED
    if published and stack != "local":
        _publish(project.settings, values)
    return values


def _publish(model: type[files.Settings], values: dict[str, Any]) -> None:
    """Give the images that are built here, where the file names none, the reference of a release."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if isinstance(field.default, str) and field.default.startswith("local:"):
            values.setdefault(key, PUBLISHED.format(field.default.removeprefix("local:")))
        elif isinstance(values.get(key), dict):
            for inner in _models(field.annotation):
                provider = inner.model_fields.get("provider")
                if provider is None or values[key].get("provider") in typing.get_args(provider.annotation):
                    _publish(inner, values[key])


def _models(hint: Any) -> list[type[files.Settings]]:
    """The models that a field may hold: itself, or members of a union."""
    if isinstance(hint, type):
        return [hint] if issubclass(hint, files.Settings) else []
    return [model for each in typing.get_args(hint) for model in _models(each)]


def run(project: Project, stack: str, values: Mapping[str, Any] | None = None, **answers: Any) -> Played:
    """The project's program, with its own stack file or the ``values`` given; ``answers``: see :func:`play`."""
    given = settings_of(project, stack) if values is None else values
    return play(
        lambda: project.program(FakeMachine()),
        project=project.name,
        config={f"{project.name}:{key}": value for key, value in given.items()},
        stacks={each.PROJECT: outputs_of(each) for each in all_contracts()},
        stack_name=stack,
        **answers,
    )


def all_contracts() -> list[Any]:
    """Every contract that there is."""
    modules = [
        importlib.import_module(each.name)
        for each in pkgutil.iter_modules(contracts.__path__, "taskservice_infra.contracts.")
    ]
    return [
        each
        for module in modules
        for each in vars(module).values()
        if dataclasses.is_dataclass(each) and hasattr(each, "PROJECT") and each.__module__ == module.__name__
    ]


def outputs_of(contract: Any) -> dict[str, Any]:
    """Outputs as its project would have published them: text says what it stands for."""
    found: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(contract).items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        inner = typing.get_args(hint)[0]
        kind = typing.get_origin(inner) or inner
        stand_in = {str: f"{name}-of-{contract.PROJECT}", dict: {}, list: [], int: 1, bool: True}.get(kind)
        found[name] = OUTPUTS.get((contract.PROJECT, name), stand_in)
    return found


def named(name: str) -> Project:
    """The project of a name."""
    return next(project for project in PROJECTS if project.name == name)
