"""Project ``apps``: the operator, and what is shown of it."""

from __future__ import annotations

from pydantic import Field

from taskservice_infra.config.settings import Settings
from taskservice_infra.images import ImageReference


class Operator(Settings):
    """The operator; ``settings`` as in ``charts/taskservice-operator/values.yaml``."""

    image: ImageReference = "local:operator"
    replicas: int = Field(default=2, ge=1, le=5)
    settings: dict[str, bool | int | str] = Field(default_factory=dict)


class AppsSettings(Settings):
    """All of ``apps:``."""

    operator: Operator = Operator()
